import Testing

@Suite("The repository keeps its own rules")
struct RepositoryTests {
    private let tree = TidyTree.repository

    private func expectNone(
        _ findings: [Finding], _ location: SourceLocation = #_sourceLocation
    ) {
        let list = findings.map { "\n  \($0)" }.joined()
        #expect(findings.isEmpty, "\(list)", sourceLocation: location)
    }

    @Test("the tree was found: sources, tests and documents are there")
    func treeIsComplete() {
        #expect(tree.files("swift").count > 50)
        #expect(tree.files("lua").count > 5)
        #expect(tree.files.contains { $0.path == "Package.swift" })
        #expect(tree.paths.contains("docs/configuration.md"))
        for module in FloorRules.floors.keys {
            #expect(
                tree.paths.contains("Sources/\(module)"), "\(module) has a floor but no sources")
        }
    }

    @Test("no Swift file is longer than it should be")
    func length() { expectNone(tree.files("swift").flatMap(SwiftRules.length)) }

    @Test("modules import only floors below their own")
    func imports() { expectNone(tree.files("swift").flatMap(FloorRules.imports)) }

    @Test("nothing unsafe outside the wrappers")
    func unsafety() { expectNone(tree.files("swift").flatMap(FloorRules.unsafety)) }

    @Test("no unstructured task")
    func unstructuredTasks() {
        expectNone(tree.files("swift").flatMap(SwiftRules.unstructuredTasks))
    }

    @Test("time is handed in")
    func clocks() {
        expectNone(tree.files("swift").flatMap(SwiftRules.wallClocks))
        expectNone(tree.files("swift").flatMap(SwiftRules.monotonicClocks))
    }

    @Test("nothing sleeps for a fixed time")
    func sleeps() { expectNone(tree.files("swift").flatMap(SwiftRules.sleeps)) }

    @Test("libraries do not print")
    func prints() { expectNone(tree.files("swift").flatMap(SwiftRules.prints)) }

    @Test("Redis keys are made in one file")
    func redisKeys() {
        expectNone(tree.files("swift").flatMap(SwiftRules.redisKeys))
        expectNone(tree.files("lua").flatMap(TextRules.luaKeys))
    }

    @Test("every script states its contract")
    func luaContracts() { expectNone(tree.files("lua").flatMap(TextRules.luaContract)) }

    @Test("nothing is left for later")
    func leftovers() { expectNone(tree.files.flatMap(TextRules.leftovers)) }

    @Test("links lead somewhere")
    func links() { expectNone(LinkRules.deadLinks(tree)) }

    @Test("every decision is in the index")
    func decisions() { expectNone(TextRules.decisionIndex(tree)) }

    @Test("every exception is still needed")
    func exceptions() {
        for path in SwiftRules.clockFiles.keys {
            let file = tree.files.first { $0.path == path }
            let text = file.map { $0.swift.code } ?? ""
            #expect(
                text.contains(/\bDate\(\)|ContinuousClock/), "\(path) needs no exception any more")
        }
        for path in FloorRules.unsafeFiles.keys {
            let file = tree.files.first { $0.path == path }
            #expect(
                file?.swift.code.contains("unsafe ") == true, "\(path) needs no exception any more")
        }
        for path in SwiftRules.unstructuredTaskFiles.keys {
            #expect(tree.paths.contains(path), "\(path) needs no exception any more")
        }
    }
}
