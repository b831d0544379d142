/// Which module may import which: only floors below its own.
enum FloorRules {
    static let floors: [String: Int] = [
        "CHiredis": 0, "CLibpq": 0, "CCurl": 0, "CZlib": 0, "CLinux": 0,
        "Mailbox": 1, "Zlib": 1,
        "JobModel": 2, "ProcessControl": 2, "Redis": 2, "Postgres": 2, "HTTP": 2, "Telemetry": 2,
        "Broker": 3, "Store": 3,
        "Enqueue": 4,
        "Jobs": 5, "Worker": 5, "Scheduler": 5, "Relay": 5, "Health": 5, "Supervisor": 5,
        "Backhaul": 6,
    ]

    /// Beside the house: it may import everything but the executable, and only tests import it.
    static let testModule = "TestSupport"

    /// The modules that own C handles; nothing unsafe outside them.
    static let wrappers: Set = ["Zlib", "Mailbox", "ProcessControl", "Redis", "Postgres", "HTTP"]

    static func imports(_ file: TidyFile) -> [Finding] {
        guard file.isSource, let module = file.module else { return [] }
        guard module == testModule || floors[module] != nil else {
            return [
                Finding(
                    path: file.path, line: 1,
                    advice:
                        "\(module) has no floor; give it one in Tests/TidyTests/FloorRules.swift")
            ]
        }
        return importedModules(file).compactMap { line, imported in
            complaint(module, importing: imported).map {
                Finding(path: file.path, line: line, advice: $0)
            }
        }
    }

    private static func complaint(_ module: String, importing imported: String) -> String? {
        if imported == testModule {
            return "only tests import \(testModule); move what is shared into a module"
        }
        guard let upper = floors[imported] else { return nil }
        if upper == 0, !wrappers.contains(module) {
            return "C belongs to its wrapper; import the module that wraps \(imported)"
        }
        guard let own = floors[module] else {
            return imported == "Backhaul" ? "Backhaul is the top; test it from BackhaulTests" : nil
        }
        guard upper >= own else { return nil }
        return "\(module) (floor \(own)) may import only floors below it, not \(imported) "
            + "(floor \(upper)); declare a small port here and fulfil it in Backhaul"
    }

    static func importedModules(_ file: TidyFile) -> [(line: Int, module: String)] {
        file.swift.code.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated().compactMap { offset, line in
                let kinds = /(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+/
                let pattern =
                    /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(.+)$/
                guard let match = line.wholeMatch(of: pattern) else { return nil }
                let name = match.1.replacing(kinds, with: "", maxReplacements: 1)
                return (offset + 1, String(name.prefix { $0.isLetter || $0.isNumber || $0 == "_" }))
            }
    }

    /// Other files that may say it, and why.
    static let unsafeFiles: [String: String] = [
        "Sources/JobModel/Wire/ByteWords.swift":
            "eight bytes of a span as a number, within checked bounds",
        "Sources/JobModel/Wire/FreshUUIDs.swift": "random bytes, many in one call",
        "Sources/TestSupport/ChildProcess.swift":
            "the signal mask of the thread that starts a child",
        "Sources/TestSupport/NotifyListener.swift": "a socket address, which Foundation lacks",
    ]

    static func unsafety(_ file: TidyFile) -> [Finding] {
        guard file.isSource, let module = file.module, !wrappers.contains(module),
            unsafeFiles[file.path] == nil
        else { return [] }
        return file.findings(
            of: /\bunsafe\b|@unchecked\s+Sendable|@preconcurrency/, in: file.swift.code,
            "unsafe code belongs to \(wrappers.sorted().joined(separator: ", ")); "
                + "put a safe call there, or keep the state in Locked")
    }
}
