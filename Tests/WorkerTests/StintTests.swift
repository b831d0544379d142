import JobModel
import Logging
import TestSupport
import Testing

@testable import Worker

@Suite("Bodies one after the other in one task")
struct StintTests {
    private let kind = JobKind(
        RegisteredJob("test.body") { (_: RawArguments, _) in .done }, margin: .seconds(1))
    private let scope: JobScope

    init() throws {
        let raw = OutgoingMessage(
            id: JobID("1"), name: "test.body", body: MessageBody(args: [], kwargs: JSONObject()),
            queue: "test"
        ).encoded(origin: "test", deliveryTag: "1")
        let message = try JobMessage(decoding: raw, limits: WireLimits())
        scope = JobScope(
            message, try message.body(limits: WireLimits()), task: nil,
            from: Delivery(
                raw: raw, lease: Lease(tag: "test-1"), queue: "test", step: 0,
                reservedAt: SystemTime().now),
            maximumAttempts: 1,
            on: JobSite(
                rules: CanvasRules(), time: SystemTime(),
                logger: Logger(label: "test.stint") { _ in SwiftLogNoOpLogHandler() }))
    }

    private func limits(soft: Duration = .seconds(60), hard: Duration = .seconds(120)) -> RunLimits
    {
        RunLimits(soft: soft, hard: hard, policy: JobPolicy(), margin: .seconds(1))
    }

    private func word(_ end: Stint.End) -> String {
        switch end {
        case .over: "over"
        case .cut: "cut"
        case .abandoned: "abandoned"
        }
    }

    /// What a lane does with a body that was cut off.
    private func ended(_ stint: Stint) -> Stint.End {
        guard let (_, cut) = stint.end() else { return .abandoned }
        guard cut != nil else { return .over }
        return .cut(
            Conclusion(delivery: scope.delivery, message: scope.message, outcome: .released), nil)
    }

    @Test("bodies that end by themselves are not touched, and share one task")
    func endsByItself() async {
        let stint = Stint()
        let counted = Log<String>()
        let end = await stint.run { stint in
            for _ in 1...3 {
                stint.begin(scope, kind, limits(), nil)
                counted.add(stint.current == nil ? "nothing" : "runs")
                #expect(stint.end()?.cut == nil)
            }
            return .over
        }
        #expect(word(end) == "over")
        #expect(counted.all == ["runs", "runs", "runs"])
        #expect(stint.cut == nil)
        #expect(!stint.cancel(because: .asked) { _ in true })
    }

    @Test("between two bodies nothing can be cancelled")
    func between() async {
        let stint = Stint()
        _ = await stint.run { stint in
            stint.begin(scope, kind, limits(), nil)
            _ = stint.end()
            #expect(!stint.cancel(because: .asked) { _ in true })
            #expect(!Task.isCancelled)
            stint.begin(scope, kind, limits(), nil)
            #expect(stint.end()?.cut == nil)
            return .over
        }
    }

    @Test("a body asked to end hears it, the first reason is kept, and the stint is over with it")
    func cancelled() async {
        let stint = Stint()
        let end = await withTaskGroup(of: Stint.End?.self) { group in
            group.addTask {
                await stint.run { stint in
                    stint.begin(scope, kind, limits(), nil)
                    try? await untilCancelled()
                    return ended(stint)
                }
            }
            group.addTask {
                while !stint.cancel(because: .asked, where: { _ in true }) { await Task.yield() }
                stint.cancel(because: .stopping) { _ in true }
                return nil
            }
            return await group.compactMap(\.self).first { _ in true }
        }
        #expect(end.map(word) == "cut")
        #expect(stint.cut == .asked)
    }

    @Test("only the body that is meant is asked to end")
    func meant() async {
        let stint = Stint()
        _ = await stint.run { stint in
            stint.begin(scope, kind, limits(), nil)
            #expect(!stint.cancel(because: .asked) { _ in false })
            #expect(stint.end()?.cut == nil)
            return .over
        }
    }

    @Test("once told to stop, whatever begins is cancelled from its first moment")
    func stopped() async {
        let stint = Stint()
        stint.stop()
        let end = await stint.run { stint in
            stint.begin(scope, kind, limits(), nil)
            try? await untilCancelled()
            return ended(stint)
        }
        #expect(word(end) == "cut")
        #expect(stint.cut == .stopping)
    }

    @Test(
        "a body that ignores its cancellation is left behind, and what it says later is not heard")
    func abandoned() async throws {
        let stint = Stint()
        let gate = Gate()
        let heard = Log<String>()
        let now = ContinuousClock.now
        let end = await withTaskGroup(of: Stint.End?.self) { group in
            group.addTask {
                await stint.run { stint in
                    stint.begin(
                        scope, kind, limits(soft: .seconds(1), hard: .seconds(2)), nil)
                    await gate.pass()
                    heard.add(stint.end() == nil ? "nobody heard" : "heard")
                    return .over
                }
            }
            group.addTask {
                while stint.current == nil { await Task.yield() }
                #expect(!stint.sweep(at: now + .seconds(1.5), end: nil))
                #expect(stint.cut == .softLimit(.seconds(1)))
                #expect(!stint.sweep(at: now + .seconds(3), end: nil))
                return nil
            }
            return await group.compactMap(\.self).first { _ in true }
        }
        #expect(end.map(word) == "abandoned")
        #expect(stint.cut == .hardLimit(.seconds(2)))
        #expect(stint.sweep(at: now + .seconds(60), end: nil), "nobody has noticed")
        #expect(stint.takeAbandoned()?.scope === scope)
        #expect(stint.takeAbandoned() == nil)
        gate.open()
        try await eventually { heard.all == ["nobody heard"] }
    }
}
