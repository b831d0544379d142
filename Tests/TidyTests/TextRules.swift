import Foundation

/// Rules about files that are not Swift, and about all text.
enum TextRules {
    /// In two parts, or this file would break its own rule.
    private static let leftovers = ["TO" + "DO", "FIX" + "ME", "X" + "XX"]

    static func leftovers(_ file: TidyFile) -> [Finding] {
        file.lines.enumerated().compactMap { offset, line in
            let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            guard let word = leftovers.first(where: { words.contains(Substring($0)) }) else {
                return nil
            }
            return Finding(
                path: file.path, line: offset + 1,
                advice:
                    "\(word) is a promise nobody keeps; do it now, or open an issue and say why here"
            )
        }
    }

    /// A script states its contract before its first line of code.
    static func luaContract(_ file: TidyFile) -> [Finding] {
        let header = file.lines.prefix { $0.hasPrefix("--") }.joined(separator: "\n").uppercased()
        let missing = ["KEYS:", "ARGV:", "RETURNS:"].filter { !header.contains($0) }
        guard !missing.isEmpty else { return [] }
        return [
            Finding(
                path: file.path, line: 1,
                advice: "begin with a comment that states the contract; missing: "
                    + missing.joined(separator: ", "))
        ]
    }

    /// A script gets its keys; it does not know them.
    static func luaKeys(_ file: TidyFile) -> [Finding] {
        let code = file.lines.map { line in
            line.firstRange(of: "--").map { String(line[..<$0.lowerBound]) } ?? String(line)
        }
        return file.findings(
            of: /['"](?:[^'"]*:)?(?:unacked|backhaul:|celery-task-meta-|_kombu\.binding)/,
            in: code.joined(separator: "\n"),
            "take the key from KEYS; it is made in Sources/Broker/RedisKeys.swift")
    }

    /// Every decision is in the index, so that readers find it.
    static func decisionIndex(_ tree: TidyTree) -> [Finding] {
        let folder = "docs/decisions/"
        let index = tree.files.first { $0.path == folder + "README.md" }
        return tree.files.compactMap { file in
            guard file.path.hasPrefix(folder), file.path.hasSuffix(".md"),
                file.path != folder + "README.md"
            else { return nil }
            let name = String(file.path.dropFirst(folder.count))
            guard index?.text.contains("(\(name)") != true else { return nil }
            return Finding(
                path: file.path, line: 1, advice: "link it from docs/decisions/README.md")
        }
    }
}

/// Links between documents lead somewhere.
enum LinkRules {
    static func deadLinks(_ tree: TidyTree) -> [Finding] {
        let documents = Dictionary(
            tree.files("md").map { ($0.path, anchors(of: $0)) },
            uniquingKeysWith: { first, _ in first })
        return tree.files("md").flatMap { file in
            links(of: file).compactMap { line, target in
                complaint(file.path, target, tree.paths, documents).map {
                    Finding(path: file.path, line: line, advice: $0)
                }
            }
        }
    }

    private static func complaint(
        _ source: String, _ target: String, _ paths: Set<String>, _ documents: [String: Set<String>]
    ) -> String? {
        guard target.firstMatch(of: /^[a-z][a-z+.-]*:/) == nil else { return nil }
        let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        var path = source
        if !parts[0].isEmpty {
            let folder = (source as NSString).deletingLastPathComponent
            let decoded = String(parts[0]).removingPercentEncoding ?? String(parts[0])
            path = normal((folder as NSString).appendingPathComponent(decoded))
            guard path.isEmpty || paths.contains(path) else {
                return "\(target) leads nowhere; link a file that exists"
            }
        }
        guard parts.count == 2, let anchors = documents[path] else { return nil }
        return anchors.contains(String(parts[1]))
            ? nil : "\(target) names no heading of \(path); link one that exists"
    }

    private static func normal(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == "..", !parts.isEmpty { parts.removeLast() } else { parts.append(part) }
        }
        return parts.joined(separator: "/")
    }

    /// Lines outside fenced code, numbered, without inline code.
    private static func prose(_ file: TidyFile) -> [(line: Int, text: String)] {
        var fence: Substring?
        return file.lines.enumerated().compactMap { offset, line in
            let mark = line.drop { $0 == " " }.prefix { $0 == "`" || $0 == "~" }
            if mark.count >= 3 {
                if fence == nil { fence = mark } else if fence == mark { fence = nil }
                return nil
            }
            guard fence == nil else { return nil }
            return (offset + 1, String(line).replacing(/`[^`]*`/, with: "code"))
        }
    }

    private static func links(of file: TidyFile) -> [(line: Int, target: String)] {
        prose(file).flatMap { line, text in
            text.matches(of: /\]\(\s*<?([^)>\s]+)>?(?:\s+"[^"]*")?\s*\)|^\[[^\]]+\]:\s*(\S+)/).map {
                (line, String($0.1 ?? $0.2 ?? ""))
            }
        }
    }

    /// The anchors that GitHub gives the headings.
    static func anchors(of file: TidyFile) -> Set<String> {
        var fence = false
        var anchors: Set<String> = []
        for line in file.lines {
            if line.hasPrefix("```") || line.hasPrefix("~~~") { fence.toggle() }
            guard !fence, let match = line.wholeMatch(of: /#{1,6}\s+(.*?)\s*#*/) else { continue }
            let title = match.1.replacing(/\]\([^)]*\)/, with: "").lowercased()
            let slug = String(
                title.compactMap { character -> Character? in
                    if character == " " { return "-" }
                    let isKept =
                        character.isLetter || character.isNumber || "-_".contains(character)
                    return isKept ? character : nil
                })
            var anchor = slug
            var copies = 0
            while !anchors.insert(anchor).inserted {
                copies += 1
                anchor = "\(slug)-\(copies)"
            }
        }
        return anchors
    }
}
