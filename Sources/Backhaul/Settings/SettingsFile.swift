import Foundation
import Yams

/// A settings file: nested YAML, read with the line of every key.
struct SettingsFile: Sendable {
    let path: String
    let text: String

    /// The largest file read, bytes.
    static let maximumBytes = 1_048_576

    /// One key with its value, as written.
    struct Entry: Sendable, Equatable {
        let key: String
        let line: Int
        /// `nil` when a mapping or an unreadable value stands where a value should.
        let value: RawSetting?
    }

    init(path: String, text: String) {
        self.path = path
        self.text = text
    }

    /// Reads the file at `path`.
    ///
    /// - Throws: `SettingsError` with one problem when there is no such file, or it is too large
    ///   or no UTF-8.
    init(reading path: String, namedBy source: SettingSource) throws(SettingsError) {
        func unusable(_ reason: String) -> SettingsError {
            SettingsError(problems: [SettingProblem(key: nil, source: source, reason: reason)])
        }
        let data: Data
        do { data = try Data(contentsOf: URL(fileURLWithPath: path)) } catch {
            throw unusable("cannot read the settings file \(path); is the path right?")
        }
        guard data.count <= Self.maximumBytes else {
            throw unusable("the settings file \(path) is larger than \(Self.maximumBytes) bytes")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw unusable("the settings file \(path) is not UTF-8")
        }
        self.init(path: path, text: text)
    }

    /// Every key of the file in order; sections are joined with a dot.
    ///
    /// - Throws: `SettingsError` with one problem when the text is no YAML mapping.
    func entries() throws(SettingsError) -> [Entry] {
        let root: Node?
        do { root = try compose(yaml: text) } catch {
            let (line, reason) = Self.explanation(of: error)
            throw SettingsError(problems: [problem(key: nil, line: line, reason)])
        }
        guard let root, !Self.isNull(root) else { return [] }
        guard case .mapping(let sections) = root else {
            throw SettingsError(problems: [
                problem(key: nil, line: 1, "must hold sections, such as “worker:”")
            ])
        }
        return sections.flatMap { entries(under: $0.key, $0.value) }
    }

    /// A problem at a line of this file.
    func problem(key: String?, line: Int, _ reason: String) -> SettingProblem {
        SettingProblem(key: key, source: .file(path: path, line: line), reason: reason)
    }

    private func entries(under key: Node, _ value: Node) -> [Entry] {
        let section = Self.name(of: key)
        guard case .mapping(let settings) = value else {
            // A section with nothing in it, as when all its keys are commented out.
            let isSection = SettingKey.all.contains { $0.name.hasPrefix(section + ".") }
            if isSection, Self.isNull(value) { return [] }
            return [Self.entry(section, key, value)]
        }
        return settings.map { Self.entry("\(section).\(Self.name(of: $0.key))", $0.key, $0.value) }
    }

    private static func entry(_ name: String, _ key: Node, _ value: Node) -> Entry {
        Entry(key: name, line: key.mark?.line ?? 1, value: raw(value))
    }

    private static func name(of key: Node) -> String { key.scalar?.string ?? "?" }

    private static func isNull(_ node: Node) -> Bool {
        guard let scalar = node.scalar, scalar.style == .plain || scalar.style == .any else {
            return false
        }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    private static func raw(_ node: Node) -> RawSetting? {
        if isNull(node) { return .nothing }
        switch node {
        case .scalar(let scalar): return .text(scalar.string)
        case .sequence(let items):
            let texts = items.compactMap { isNull($0) ? nil : $0.scalar?.string }
            return texts.count == items.count ? .list(texts) : nil
        case .mapping, .alias: return nil
        }
    }

    /// Line and reason of a parser's error; its own description quotes the file, secrets and all.
    private static func explanation(of error: any Error) -> (line: Int, reason: String) {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            (mark.line, "is not YAML: \(problem)")
        case .duplicatedKeysInMapping(let names, let context):
            (context.mark.line, "names \(names.sorted().joined(separator: ", ")) twice")
        default: (1, "is not YAML")
        }
    }
}
