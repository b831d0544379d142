import Foundation
import Testing

@testable import Backhaul

@Suite("The documents of the settings say what the code does")
struct SettingDocumentsTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(of path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("config/default.yaml names every key once, and changes nothing")
    func defaultFile() throws {
        let file = SettingsFile(path: "default.yaml", text: try text(of: "config/default.yaml"))
        #expect(try file.entries().map(\.key) == SettingKey.all.map(\.name))
        #expect(try SettingsLoader(file: file).load().settings == Settings())
    }

    @Test("config/default.yaml is what the template prints")
    func defaultFileText() throws {
        let written = try text(of: "config/default.yaml")
        let isPrinted = written == SettingsTemplate.yaml.text
        #expect(
            isPrinted, "run: backhaul settings --template yaml > config/default.yaml")
    }

    @Test("docs/configuration.md holds the table that the template prints")
    func table() throws {
        let document = try text(of: "docs/configuration.md")
        let isPrinted = document.contains(SettingsTemplate.markdown.text)
        #expect(
            isPrinted, "replace the table with the output of: backhaul settings --template markdown"
        )
        let rows = document.split(separator: "\n").filter { $0.hasPrefix("| `") }
        #expect(rows.count == SettingKey.all.count)
    }

    @Test("docs/configuration.md names every rule between settings")
    func rules() throws {
        let document = try text(of: "docs/configuration.md")
        for rule in SettingRule.all {
            #expect(rule.keys.allSatisfy { document.contains("`\($0)`") }, "\(rule.keys)")
        }
    }

    @Test("the other files load", arguments: ["development.yaml", "production.example.yaml"])
    func examples(name: String) throws {
        let file = SettingsFile(path: name, text: try text(of: "config/\(name)"))
        #expect(try SettingsLoader(file: file).load().settings != Settings())
    }

    @Test("keys are well formed, and no two names are the same")
    func names() {
        let names = SettingKey.all.map(\.name)
        #expect(names.allSatisfy { $0.wholeMatch(of: /[a-z]+\.[a-z_]+/) != nil })
        let everyName =
            names + SettingKey.all.map(\.environmentName)
            + SettingKey.all.compactMap(\.wellKnownEnvironmentName)
            + SettingKey.all.compactMap(\.flag)
        #expect(Set(everyName).count == everyName.count)
        for key in SettingKey.all where key.unit == "seconds" {
            #expect(key.name.hasSuffix("_seconds"))
        }
    }

    @Test("every meaning is one sentence")
    func meanings() {
        for key in SettingKey.all {
            #expect(key.meaning.hasSuffix(".") && key.meaning.first?.isUppercase == true)
        }
    }
}
