/// One setting: its names, its form, its meaning, and where it lives in ``Settings``.
///
/// ``all`` is the only list of settings. The loader reads by it; tests compare `config/default.yaml`
/// and `docs/configuration.md` with it.
struct SettingKey: Sendable {
    /// The dotted name, as in the file: `worker.concurrency`.
    let name: String
    /// A name other programs use for the same thing, such as `REDIS_URL`.
    let wellKnownEnvironmentName: String?
    /// A flag of its own, where operators expect one; `--set name=value` always works.
    let flag: String?
    let meaning: String
    let accepts: String
    let unit: String?
    let isSecret: Bool
    /// Puts a written value in its place, or says why it cannot be used.
    let assign: @Sendable (RawSetting, inout Settings) throws(SettingRefusal) -> Void
    /// The value as it would be written; secrets redacted; `nil` when not set.
    let shown: @Sendable (Settings) -> String?

    init<Value: Sendable>(
        _ name: String, _ path: any WritableKeyPath<Settings, Value> & Sendable,
        _ form: SettingForm<Value>, flag: String? = nil, wellKnown: String? = nil,
        meaning: String
    ) {
        self.name = name
        self.wellKnownEnvironmentName = wellKnown
        self.flag = flag
        self.meaning = meaning
        accepts = form.accepts
        unit = form.unit
        isSecret = form.isSecret
        assign = { raw, settings throws(SettingRefusal) in
            settings[keyPath: path] = try form.parse(raw)
        }
        shown = { form.show($0[keyPath: path]) }
    }

    /// The environment variable: `BACKHAUL_WORKER_CONCURRENCY`.
    var environmentName: String {
        Self.environmentPrefix + name.uppercased().replacing(".", with: "_")
    }

    /// The value used when nothing is written; `nil` when there is none.
    var defaultText: String? { shown(Settings()) }

    static let environmentPrefix = "BACKHAUL_"

    /// The variable that names the settings file, as `--config` does.
    static let fileEnvironmentName = "BACKHAUL_CONFIG"

    /// Variables with this prefix belong to the tests and are no settings.
    static let testEnvironmentPrefix = "BACKHAUL_TEST_"

    /// The key of that name.
    static func named(_ name: String) -> SettingKey? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}
