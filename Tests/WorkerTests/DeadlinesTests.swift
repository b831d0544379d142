import Testing

@testable import Worker

@Suite("Deadlines")
struct DeadlinesTests {
    @Test("a deadline that passes wakes its task, and a cancelled wait ends at once")
    func passAndCancel() async {
        let deadlines = Deadlines()
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await deadlines.run()
                return true
            }
            let isUp = await deadlines.pass(after: .milliseconds(1))
            #expect(isUp)
            let waits = await withTaskGroup(of: Bool.self) { waits in
                for _ in 0..<50 { waits.addTask { await deadlines.pass(after: .seconds(600)) } }
                waits.cancelAll()
                return await waits.reduce(into: [Bool]()) { $0.append($1) }
            }
            #expect(waits == Array(repeating: false, count: 50))
            group.cancelAll()
        }
    }

    @Test("a body that ends in time is not touched; one that does not is cancelled")
    func limit() async throws {
        let deadlines = Deadlines()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await deadlines.run() }
            let value = try await TimeLimit(limit: .seconds(600), deadlines: deadlines).run { 7 }
            #expect(value == 7)
            await #expect(throws: TimeLimit.Exceeded.self) {
                try await TimeLimit(limit: .milliseconds(1), deadlines: deadlines).run {
                    try await untilCancelled()
                }
            }
            group.cancelAll()
        }
    }
}
