import Testing

@Suite("Each rule finds what it is for, and only that")
struct RuleTests {
    private func lines(
        _ rule: (TidyFile) -> [Finding], _ text: String, at path: String = "Sources/Worker/A.swift"
    ) -> [Int] {
        rule(TidyFile(path, text)).map(\.line)
    }

    @Test("comments and strings are not code")
    func lexer() {
        let text = SwiftText(
            """
            a // b "c"
            "d \\" // e" f /* g /* h */ i
            */ j #"k " \\#" l"# m "unclosed
            n \"\"\"
              o "p" // q
              \"\"\" r
            """)
        func lines(_ text: String) -> [Substring] {
            text.split(separator: "\n", omittingEmptySubsequences: false)
        }
        #expect(
            lines(text.code) == [
                "a ", "\"\" f ", " j #\"\"# m \"\"", "n \"\"\"", "", "\"\"\" r",
            ])
        #expect(
            lines(text.strings) == [
                "", "\"d \\\" // e\"", "\"k \" \\#\" l\"\"unclosed\"", "\"",
                "  o \"p\" // q", "  \"",
            ])
    }

    @Test("a file of 400 lines is long enough, one of 401 is too long")
    func length() {
        #expect(lines(SwiftRules.length, String(repeating: "x\n", count: 400)) == [])
        #expect(lines(SwiftRules.length, String(repeating: "x\n", count: 401)) == [401])
    }

    @Test(
        "imports go down only",
        arguments: [
            ("Worker", "import Broker", true), ("Worker", "import Jobs", false),
            ("Worker", "package import Backhaul", false), ("Redis", "import JobModel", false),
            ("JobModel", "import Zlib", true), ("JobModel", "internal import Broker", false),
            ("Redis", "private import CHiredis", true), ("Worker", "import CHiredis", false),
            ("Broker", "import struct Store.Migrator", false),
            ("Worker", "import TestSupport", false),
            ("Worker", "@testable import Scheduler", false), ("TestSupport", "import Broker", true),
            ("TestSupport", "import Backhaul", false), ("Worker", "// import Jobs", true),
            ("Worker", "import Foundation", true), ("Strange", "import Foundation", false),
            ("Broker", "@preconcurrency public import Enqueue", false),
        ])
    func imports(module: String, text: String, isFine: Bool) {
        let found = lines(FloorRules.imports, "\n" + text, at: "Sources/\(module)/A.swift")
        #expect(found.isEmpty == isFine)
    }

    @Test("tests may import anything")
    func testImports() {
        #expect(lines(FloorRules.imports, "import Backhaul", at: "Tests/WorkerTests/A.swift") == [])
    }

    @Test("unsafe words are found outside the wrappers, in code only")
    func unsafety() {
        let text = """
            unsafe foo()
            final class A: @unchecked Sendable {}
            nonisolated(unsafe) var x = 1
            // unsafe
            let isUnsafe = "unsafe"
            """
        #expect(lines(FloorRules.unsafety, text) == [1, 2, 3])
        #expect(lines(FloorRules.unsafety, text, at: "Sources/Redis/A.swift") == [])
    }

    @Test("unstructured tasks are found, other tasks are not")
    func unstructuredTasks() {
        let text = """
            Task { }
            Task.detached { }
            let t = Task<Void, Never> { }
            Task(priority: .high) { }
            Task.isCancelled
            try await Task.sleep(until: end, clock: clock)
            group.addTask { }
            loop.scheduleTask(in: delay) { }
            await Task.yield()
            """
        #expect(lines(SwiftRules.unstructuredTasks, text) == [1, 2, 3, 4])
    }

    @Test("real clocks are found outside the composition root")
    func clocks() {
        let wall = "Date()\nDate.now\nDate(timeIntervalSince1970: 0)\ntime.now"
        #expect(lines(SwiftRules.wallClocks, wall) == [1, 2])
        #expect(lines(SwiftRules.wallClocks, wall, at: "Sources/JobModel/TimeSource.swift") == [])
        #expect(lines(SwiftRules.wallClocks, wall, at: "Tests/WorkerTests/A.swift") == [])
        let monotonic = """
            init(clock: any Clock<Duration> = ContinuousClock()) {}
            let start = ContinuousClock.now
            let other = SuspendingClock()
            """
        #expect(lines(SwiftRules.monotonicClocks, monotonic) == [2, 3])
        #expect(lines(SwiftRules.monotonicClocks, monotonic, at: "Sources/Redis/A.swift") == [])
    }

    @Test("sleeps of fixed length are found")
    func sleeps() {
        let text = """
            try await Task.sleep(for: .seconds(1))
            try await clock.sleep(for: .milliseconds(50), tolerance: nil)
            sleep(1)
            usleep(50)
            usleep(delay)
            try await clock.sleep(for: interval)
            try await clock.sleep(until: deadline)
            func sleep(for duration: Duration)
            try await Task.sleep(for: .seconds(600))
            """
        #expect(lines(SwiftRules.sleeps, text, at: "Tests/A/B.swift") == [1, 2, 3, 4])
    }

    @Test("printing is found outside the executable")
    func prints() {
        let text = "print(1)\nblueprint(2)\nprinter.print(3)\n// print(4)"
        #expect(lines(SwiftRules.prints, text) == [1])
        #expect(lines(SwiftRules.prints, text, at: "Sources/Backhaul/A.swift") == [])
    }

    @Test("Redis keys are found in strings, not in comments")
    func redisKeys() {
        let text = """
            let a = "unacked_index"
            let b = "celery-task-meta-\\(id)"
            let c = "backhaul:{x}:dead"
            // "unacked"
            let unackedCount = 1
            write("backhaul: 2 problems")
            send("HGET", keys.unacked, "\\(keys.unacked)")
            """
        #expect(lines(SwiftRules.redisKeys, text) == [1, 2, 3])
        #expect(lines(SwiftRules.redisKeys, text, at: "Sources/Broker/RedisKeys.swift") == [])
        let lua = "-- 'unacked'\nredis.call('HSET', 'unacked', 1)\nredis.call('HSET', KEYS[1], 1)"
        #expect(lines(TextRules.luaKeys, lua, at: "a.lua") == [2])
    }

    @Test("a script without its whole contract is found")
    func luaContract() {
        let whole = "-- Moves.\n-- KEYS: 1 list\n-- ARGV: none\n-- Returns: nothing\nreturn 1"
        #expect(lines(TextRules.luaContract, whole, at: "a.lua") == [])
        let late = "return 1\n-- KEYS: 1\n-- ARGV: none\n-- Returns: nothing"
        #expect(lines(TextRules.luaContract, late, at: "a.lua") == [1])
        let finding = TextRules.luaContract(TidyFile("a.lua", "-- KEYS: 1\n-- Returns: x")).first
        #expect(finding?.description.hasSuffix("missing: ARGV:") == true)
    }

    @Test("promises are found as words")
    func leftovers() {
        let word = "TO" + "DO"
        #expect(
            lines(TextRules.leftovers, "a\n// \(word): b\nmkt\(word)s\nX" + "X" + "XX", at: "a.sh")
                == [
                    2
                ])
    }

    @Test("dead links and dead anchors are found")
    func links() {
        let tree = TidyTree([
            TidyFile(
                "docs/a.md",
                """
                # First *heading*, with `code`!
                [fine](b.md) [fine](../README.md#top-level) [fine](https://x.example/none)
                [dead](c.md) [fine](#first-heading-with-code) [dead](#second)
                `[not a link](none.md)`
                ```
                [not a link](none.md)
                ```
                [dead](b.md#none) [fine](sub/) [fine](.)
                [dead]: ../none.md
                """),
            TidyFile("docs/b.md", "# B"), TidyFile("docs/sub/x.md", ""),
            TidyFile("README.md", "# Top level"),
        ])
        #expect(LinkRules.deadLinks(tree).map(\.line) == [3, 3, 8, 9])
        #expect(LinkRules.anchors(of: TidyFile("x.md", "# A\n## A\n# A b")) == ["a", "a-1", "a-b"])
    }

    @Test("a decision that the index leaves out is found")
    func decisions() {
        let files = [
            TidyFile("docs/decisions/0001-one.md", ""), TidyFile("docs/decisions/0002-two.md", ""),
            TidyFile("docs/decisions/README.md", "- [One](0001-one.md)"),
        ]
        #expect(
            TextRules.decisionIndex(TidyTree(files)).map(\.path) == ["docs/decisions/0002-two.md"])
        #expect(TextRules.decisionIndex(TidyTree(Array(files.dropLast()))).count == 2)
    }
}
