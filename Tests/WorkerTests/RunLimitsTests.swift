import JobModel
import Testing

@testable import Worker

@Suite("Limits of a run")
struct RunLimitsTests {
    private let policy = JobPolicy(timeLimit: .seconds(300))

    private func limits(
        soft: Int? = nil, hard: Int? = nil, policy: JobPolicy? = nil
    ) -> [Duration] {
        let limits = RunLimits(
            soft: soft.map { .seconds($0) }, hard: hard.map { .seconds($0) },
            policy: policy ?? self.policy, margin: .seconds(30))
        return [limits.cancelAfter, limits.abandonAfter]
    }

    @Test("the message goes before the policy, and a soft limit is followed by the margin")
    func table() {
        #expect(limits() == [.seconds(300), .seconds(330)])
        #expect(limits(soft: 10) == [.seconds(10), .seconds(40)])
        #expect(limits(soft: 1, hard: 2) == [.seconds(1), .seconds(2)])
        #expect(limits(hard: 900) == [.seconds(300), .seconds(900)])
        #expect(limits(hard: 20) == [.seconds(20), .seconds(21)])
        #expect(limits(soft: 20, hard: 5) == [.seconds(5), .seconds(6)])
        let strict = JobPolicy(timeLimit: .seconds(3), hardTimeLimit: .seconds(4))
        #expect(limits(policy: strict) == [.seconds(3), .seconds(4)])
        #expect(limits(soft: 10, policy: strict) == [.seconds(10), .seconds(40)])
    }

    @Test("the cut at a limit says whether another attempt follows")
    func cuts() {
        let margin = Duration.seconds(30)
        let soft = RunLimits(soft: .seconds(1), hard: .seconds(9), policy: policy, margin: margin)
        #expect(soft.cut == .softLimit(.seconds(1)))
        let hard = RunLimits(soft: nil, hard: .seconds(9), policy: policy, margin: margin)
        #expect(hard.cut == .hardLimit(.seconds(9)))
    }
}
