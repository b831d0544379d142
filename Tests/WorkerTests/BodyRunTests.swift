import JobModel
import TestSupport
import Testing

@testable import Worker

@Suite("One body under way")
struct BodyRunTests {
    private func word(_ end: BodyRun.End) -> String {
        switch end {
        case .returned: "returned"
        case .threw: "threw"
        case .abandoned: "abandoned"
        }
    }

    @Test("a body that ends by itself is not touched")
    func endsByItself() async {
        let run = BodyRun()
        #expect(word(await run.run { .done }) == "returned")
        #expect(run.cut == nil)
        run.cancel(because: .asked)
        run.abandon(because: .stopping)
    }

    @Test("a body asked to end hears it, and the first reason is kept")
    func cancelled() async {
        let run = BodyRun()
        let end = await withTaskGroup(of: BodyRun.End?.self) { group in
            group.addTask {
                await run.run {
                    try await untilCancelled()
                    return .done
                }
            }
            group.addTask {
                run.cancel(because: .softLimit(.seconds(1)))
                run.cancel(because: .stopping)
                return nil
            }
            return await group.compactMap(\.self).first { _ in true }
        }
        #expect(end.map(word) == "threw")
        #expect(run.cut == .softLimit(.seconds(1)))
    }

    @Test("a body that was asked before it began is cancelled from its first moment")
    func cancelledBefore() async {
        let run = BodyRun()
        run.cancel(because: .asked)
        let end = await run.run {
            try await untilCancelled()
            return .done
        }
        #expect(word(end) == "threw")
    }

    @Test(
        "a body that ignores its cancellation is left behind, and what it says later is not heard")
    func abandoned() async throws {
        let run = BodyRun()
        let gate = Gate()
        let heard = Log<String>()
        let end = await withTaskGroup(of: BodyRun.End?.self) { group in
            group.addTask {
                await run.run {
                    await gate.pass()
                    heard.add("the body went on")
                    return .done
                }
            }
            group.addTask {
                run.cancel(because: .softLimit(.seconds(1)))
                run.abandon(because: .hardLimit(.seconds(2)))
                return nil
            }
            return await group.compactMap(\.self).first { _ in true }
        }
        #expect(end.map(word) == "abandoned")
        #expect(run.cut == .hardLimit(.seconds(2)))
        gate.open()
        try await eventually { heard.all.count == 1 }
    }
}
