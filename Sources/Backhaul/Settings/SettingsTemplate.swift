import Foundation

/// The settings as documents: what `backhaul settings --template` prints.
///
/// `config/default.yaml` and the table in `docs/configuration.md` are this text; tests compare them.
enum SettingsTemplate: String, CaseIterable, Sendable {
    case yaml
    case markdown

    /// The document.
    var text: String {
        switch self {
        case .yaml: Self.yamlFile
        case .markdown: Self.markdownTable
        }
    }

    private static var yamlFile: String {
        var lines = [
            "# Every setting with its default. Copy what you change; leave out the rest.",
            "# Flags win over the environment, the environment over this file: docs/configuration.md",
            "# Printed by: backhaul settings --template yaml",
        ]
        var section = Substring()
        for key in SettingKey.all {
            let parts = key.name.split(separator: ".", maxSplits: 1)
            if parts[0] != section {
                section = parts[0]
                lines += ["", "\(section):"]
            } else {
                lines.append("")
            }
            lines.append("  # \(key.meaning)")
            lines.append("  # Takes \(key.accepts)\(key.unit.map { " (\($0))" } ?? "").")
            lines.append("  # Environment: \(environmentNames(of: key).joined(separator: " or "))")
            if let flag = key.flag { lines.append("  # Flag: \(flag)") }
            switch key.defaultText {
            case nil: lines.append("  \(parts[1]):  # not set")
            case "": lines.append("  \(parts[1]): \"\"")
            case let text?: lines.append("  \(parts[1]): \(text)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static var markdownTable: String {
        var lines = [
            "| Key | Default | Takes | Environment | Flag | Meaning |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for key in SettingKey.all {
            let names = environmentNames(of: key).map { "`\($0)`" }.joined(separator: ", ")
            let standard = key.defaultText.map { $0.isEmpty ? "empty" : "`\($0)`" } ?? "not set"
            let takes = key.accepts + (key.unit.map { " (\($0))" } ?? "")
            let flag = key.flag.map { "`\($0)`" } ?? ""
            lines.append(
                "| `\(key.name)` | \(standard) | \(takes) | \(names) | \(flag) | \(key.meaning) |")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func environmentNames(of key: SettingKey) -> [String] {
        [key.environmentName] + [key.wellKnownEnvironmentName].compactMap { $0 }
    }
}
