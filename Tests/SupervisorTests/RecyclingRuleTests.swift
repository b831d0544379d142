import Testing

@testable import Supervisor

@Suite("When a process is old enough")
struct RecyclingRuleTests {
    @Test("zero is never")
    func never() {
        #expect(RecyclingRule().reason(jobsDone: .max, residentBytes: .max) == nil)
    }

    @Test("jobs and memory count from their limit on, and the reason names the setting")
    func limits() {
        let rule = RecyclingRule(afterJobs: 10, atBytes: 1000)
        #expect(rule.reason(jobsDone: 9, residentBytes: 999) == nil)
        #expect(rule.reason(jobsDone: 9, residentBytes: nil) == nil)
        #expect(
            rule.reason(jobsDone: 10, residentBytes: 0)
                == "it has done 10 jobs (worker.recycle_after_jobs: 10)")
        #expect(
            rule.reason(jobsDone: 0, residentBytes: 1000)
                == "it occupies 1000 bytes (worker.recycle_at_bytes: 1000)")
    }
}
