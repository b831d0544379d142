import Foundation

/// One text file of the repository.
struct TidyFile: Sendable {
    /// Relative to the root, with `/`.
    let path: String
    let text: String
    /// The text without what is not code; empty for files that are not Swift.
    let swift: SwiftText

    init(_ path: String, _ text: String) {
        self.path = path
        self.text = text
        swift = SwiftText(path.hasSuffix(".swift") ? text : "")
    }

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// `Broker` for `Sources/Broker/RedisKeys.swift`.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && (parts[0] == "Sources" || parts[0] == "Tests")
            ? String(parts[1]) : nil
    }

    var isSource: Bool { path.hasPrefix("Sources/") }

    var pathExtension: String { (path as NSString).pathExtension }

    /// The lines in which `pattern` occurs, as findings.
    ///
    /// A word ends where letters, digits and underscores end: by Unicode's rule `Clock.now` is one.
    func findings(
        of pattern: Regex<some Any>, in text: String, _ advice: String
    ) -> [Finding] {
        let pattern = pattern.wordBoundaryKind(.simple)
        return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
            .filter { $0.element.contains(pattern) }
            .map { Finding(path: path, line: $0.offset + 1, advice: advice) }
    }
}

/// Something that is not as it should be, and what to do instead.
struct Finding: Equatable, CustomStringConvertible {
    let path: String
    let line: Int
    let advice: String

    var description: String { "\(path):\(line): \(advice)" }
}

/// The files of the repository.
struct TidyTree: Sendable {
    let files: [TidyFile]

    /// Paths of everything that exists, also directories, for links.
    let paths: Set<String>

    init(files: [TidyFile], paths: Set<String>) {
        self.files = files
        self.paths = paths
    }

    /// A tree of the given files only, for samples.
    init(_ files: [TidyFile]) {
        var paths: Set<String> = []
        for file in files {
            var path = file.path as NSString
            while path.length > 0 {
                paths.insert(path as String)
                path = path.deletingLastPathComponent as NSString
            }
        }
        self.init(files: files, paths: paths)
    }

    /// This repository, found from this file.
    static let repository: TidyTree = {
        let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return read(root)
    }()

    private static let textExtensions: Set = [
        "swift", "lua", "sql", "md", "yaml", "yml", "sh", "py", "h", "modulemap",
    ]

    private static func read(_ root: URL) -> TidyTree {
        var files: [TidyFile] = []
        var paths: Set<String> = []
        let walk = FileManager.default.enumerator(atPath: root.path)
        while let path = walk?.nextObject() as? String {
            let name = (path as NSString).lastPathComponent
            let isHidden = name.hasPrefix(".") && name != ".ci" && name != ".github"
            if isHidden || name == "__pycache__" || name == "venv" {
                // What is hidden is built or fetched; its links and lines are not ours.
                walk?.skipDescendants()
                if name == ".swift-format" || name == ".gitignore" { paths.insert(path) }
                continue
            }
            paths.insert(path)
            guard textExtensions.contains((path as NSString).pathExtension) || name == "Makefile",
                let text = try? String(
                    contentsOf: root.appendingPathComponent(path), encoding: .utf8)
            else { continue }
            files.append(TidyFile(path, text))
        }
        return TidyTree(files: files.sorted { $0.path < $1.path }, paths: paths)
    }

    func files(_ extensions: String...) -> [TidyFile] {
        files.filter { extensions.contains($0.pathExtension) }
    }
}
