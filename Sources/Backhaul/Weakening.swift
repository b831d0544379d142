import Broker
import Store

/// Protections switched off to prove that the fault suite sees what they prevent.
///
/// `BACKHAUL_TEST_WEAKEN` names them, as a list with commas; it counts only where `worker.drills` is
/// true, so that it cannot be switched on by the environment alone.
struct Weakening: Sendable {
    /// The environment's name for it.
    static let environmentName = SettingKey.testEnvironmentPrefix + "WEAKEN"

    /// `fence` in the list: the drills' transactions neither claim nor record.
    let effectFencing: EffectFencing
    /// `reserve` and `brake` in the list: see `WeakenedGuards`.
    let guards: WeakenedGuards

    init(environment: [String: String], settings: Settings) {
        let names =
            settings.worker.drills
            ? (environment[Self.environmentName] ?? "").split(separator: ",").map(String.init) : []
        effectFencing = names.contains("fence") ? .off : .on
        guards = WeakenedGuards(words: names)
    }
}
