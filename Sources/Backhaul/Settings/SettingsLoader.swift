/// A setting given as a flag: its key, its text, and the flag as the operator typed it.
struct FlagValue: Sendable, Equatable {
    let key: String
    let text: String
    let flag: String
}

/// Settings, and where each of them came from.
struct LoadedSettings: Sendable {
    let settings: Settings
    /// By key; a key that is missing here has its default.
    let sources: [String: SettingSource]

    /// Where the value of `key` came from.
    func source(of key: String) -> SettingSource { sources[key] ?? .standard }

    /// The database's address, for commands that cannot do without.
    ///
    /// - Throws: `SettingsError` when it is not set.
    func databaseURL() throws(SettingsError) -> Secret {
        if let url = settings.database.url { return url }
        let reason =
            "is not set, and this command needs it; set DATABASE_URL=postgresql://host/database "
            + "or give --database"
        throw SettingsError(problems: [
            SettingProblem(key: "database.url", source: source(of: "database.url"), reason: reason)
        ])
    }
}

/// Puts settings together: flags over environment over file over defaults.
///
/// Every source is checked whole, also values that a stronger source overrides, and all problems
/// are reported at once.
struct SettingsLoader: Sendable {
    var file: SettingsFile?
    var environment: [String: String] = [:]
    var flags: [FlagValue] = []

    private struct Draft {
        var settings = Settings()
        var sources: [String: SettingSource] = [:]
        var problems: [SettingProblem] = []
        var doubtful: Set<String> = []

        mutating func assign(_ raw: RawSetting, to key: SettingKey, from source: SettingSource) {
            do {
                try key.assign(raw, &settings)
                sources[key.name] = source
            } catch {
                refuse(key.name, source, error.reason)
            }
        }

        mutating func refuse(_ key: String, _ source: SettingSource, _ reason: String) {
            problems.append(SettingProblem(key: key, source: source, reason: reason))
            doubtful.insert(key)
        }
    }

    /// Loads.
    ///
    /// - Throws: `SettingsError` with everything that is wrong.
    func load() throws(SettingsError) -> LoadedSettings {
        var draft = Draft()
        addFile(to: &draft)
        addEnvironment(to: &draft)
        addFlags(to: &draft)
        for rule in SettingRule.all where draft.doubtful.isDisjoint(with: rule.keys) {
            guard let reason = rule.complaint(draft.settings) else { continue }
            draft.refuse(rule.keys[0], draft.sources[rule.keys[0]] ?? .standard, reason)
        }
        guard draft.problems.isEmpty else { throw SettingsError(problems: draft.problems) }
        return LoadedSettings(settings: draft.settings, sources: draft.sources)
    }

    private func addFile(to draft: inout Draft) {
        guard let file else { return }
        let entries: [SettingsFile.Entry]
        do { entries = try file.entries() } catch {
            draft.problems += error.problems
            return
        }
        var lines: [String: Int] = [:]
        for entry in entries {
            let source = SettingSource.file(path: file.path, line: entry.line)
            guard let key = SettingKey.named(entry.key) else {
                draft.refuse(entry.key, source, Self.unknown(entry.key))
                continue
            }
            if let line = lines.updateValue(entry.line, forKey: entry.key) {
                draft.refuse(entry.key, source, "was already given in line \(line)")
            }
            if let value = entry.value {
                draft.assign(value, to: key, from: source)
            } else {
                draft.refuse(entry.key, source, "has parts of its own; it takes \(key.accepts)")
            }
        }
    }

    private func addEnvironment(to draft: inout Draft) {
        let ours = SettingKey.all.map(\.environmentName)
        for key in SettingKey.all {
            // The name with our prefix was certainly meant for us, so it comes last and wins.
            for name in [key.wellKnownEnvironmentName, key.environmentName].compactMap({ $0 }) {
                guard let text = environment[name] else { continue }
                draft.assign(.text(text), to: key, from: .environment(name: name))
            }
        }
        let strangers = environment.keys.filter {
            $0.hasPrefix(SettingKey.environmentPrefix) && !ours.contains($0)
                && $0 != SettingKey.fileEnvironmentName && $0 != ProcessPlace.environmentName
                && !$0.hasPrefix(SettingKey.testEnvironmentPrefix)
        }
        for name in strangers.sorted() {
            let hint = NearestName.hint(for: name, among: ours + [SettingKey.fileEnvironmentName])
            draft.problems.append(
                SettingProblem(
                    key: nil, source: .environment(name: name),
                    reason: "there is no such setting\(hint)"))
        }
    }

    private func addFlags(to draft: inout Draft) {
        var given: [String: String] = [:]
        for value in flags {
            let source = SettingSource.flag(name: value.flag)
            guard let key = SettingKey.named(value.key) else {
                draft.refuse(value.key, source, Self.unknown(value.key))
                continue
            }
            if let earlier = given.updateValue(value.flag, forKey: value.key) {
                draft.refuse(value.key, source, "was already given by \(earlier)")
            }
            draft.assign(.text(value.text), to: key, from: source)
        }
    }

    private static func unknown(_ name: String) -> String {
        if SettingKey.all.contains(where: { $0.name.hasPrefix("\(name).") }) {
            return "is a section; its settings go below it, indented"
        }
        return "there is no such setting"
            + NearestName.hint(for: name, among: SettingKey.all.map(\.name))
    }
}
