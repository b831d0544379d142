/// Where the value of a setting came from.
enum SettingSource: Sendable, Equatable, CustomStringConvertible {
    case standard
    case file(path: String, line: Int)
    case environment(name: String)
    case flag(name: String)

    var description: String {
        switch self {
        case .standard: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): "environment \(name)"
        case .flag(let name): "flag \(name)"
        }
    }
}

/// One thing wrong with the settings.
struct SettingProblem: Sendable, Equatable, CustomStringConvertible {
    /// The key, or what was written where a key should be; `nil` when the whole source is unusable.
    let key: String?
    let source: SettingSource
    /// What is wrong and what to write instead; never quotes a secret.
    let reason: String

    var description: String {
        guard let key else { return "\(source): \(reason)" }
        return "\(key) (\(source)): \(reason)"
    }
}

/// Everything that is wrong with the settings, all at once.
struct SettingsError: Error, Equatable, CustomStringConvertible {
    let problems: [SettingProblem]

    /// The exit code of a program that cannot use its settings: EX_CONFIG of sysexits.h.
    static let exitCode: Int32 = 78

    var description: String {
        let count = problems.count == 1 ? "1 problem" : "\(problems.count) problems"
        let lines = problems.map { "  - \($0)" }.joined(separator: "\n")
        return """
            \(count) in the settings:
            \(lines)
            Every key, its environment name and its default: docs/configuration.md
            """
    }
}
