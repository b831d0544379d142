import Foundation
import JobModel
import Testing

@testable import Worker

@Suite("Rate limits of a worker")
struct JobTuningTests {
    private let start = Date(timeIntervalSince1970: 1_000_000)
    private let policy = JobPolicy(rateLimit: .perSecond(1))
    private let name: JobName = "test.job"

    @Test("one may begin; each that follows gets the next free second")
    func slots() {
        let tuning = JobTuning()
        #expect(tuning.admit(name, policy, at: start) == nil)
        for second in 1...3 {
            #expect(tuning.admit(name, policy, at: start) == start + Double(second))
        }
        #expect(tuning.admit("test.other", policy, at: start) == nil)
    }

    @Test("a job that comes back at its slot begins; one before must wait")
    func slotIsKept() {
        let tuning = JobTuning()
        #expect(tuning.admit(name, policy, at: start) == nil)
        #expect(tuning.admit(name, policy, at: start) == start + 1)
        #expect(tuning.admit(name, policy, at: start + 0.5) == start + 2)
        #expect(tuning.admit(name, policy, at: start + 1) == nil)
        #expect(tuning.admit(name, policy, at: start + 1.1) == start + 3)
        #expect(tuning.admit(name, policy, at: start + 2.4) == nil)
    }

    @Test("slots that nobody came for are not saved up")
    func noSaving() {
        let tuning = JobTuning()
        for _ in 0..<5 { _ = tuning.admit(name, policy, at: start) }
        let later = start + 100
        #expect(tuning.admit(name, policy, at: later) == nil)
        #expect(tuning.admit(name, policy, at: later) == later + 1)
    }

    @Test("over an hour, a flood begins as often as it may, however it comes back")
    func throughput() {
        let tuning = JobTuning()
        var waiting = (0..<500).map { _ in start }
        var begun: [Date] = []
        while let next = waiting.min(), next < start + 100 {
            waiting.remove(at: waiting.firstIndex(of: next) ?? 0)
            if let slot = tuning.admit(name, policy, at: next) {
                waiting.append(slot)
            } else {
                begun.append(next)
            }
        }
        #expect(begun.count == 100)
        #expect(zip(begun, begun.dropFirst()).allSatisfy { $1.timeIntervalSince($0) >= 1 })
    }

    @Test("what is remembered has a limit, and those beyond it come again")
    func bounded() {
        let tuning = JobTuning()
        for _ in 0..<(JobTuning.maximumSlots + 50) { _ = tuning.admit(name, policy, at: start) }
        let last = tuning.admit(name, policy, at: start)
        #expect(last == start + Double(JobTuning.maximumSlots + 1))
    }

    @Test("a rate that was set wins over the policy's, also none at all")
    func set() throws {
        let tuning = JobTuning()
        tuning.set(nil, for: name)
        for _ in 0..<9 { #expect(tuning.admit(name, policy, at: start) == nil) }
        #expect(tuning.rate(of: name, policy) == nil)
        tuning.set(try RateLimit("10/m"), for: name)
        #expect(tuning.admit(name, policy, at: start) == nil)
        #expect(tuning.admit(name, policy, at: start) == start + 6)
        #expect(tuning.rate(of: name, policy)?.text == "10/m")
    }

    @Test("time limits that were set go between the message's and the policy's")
    func limits() {
        let tuning = JobTuning()
        tuning.set(JobTuning.Limits(soft: .seconds(1), hard: .seconds(2)), for: name)
        #expect(tuning.limits(of: name)?.soft == .seconds(1))
        tuning.set(JobTuning.Limits(), for: name)
        #expect(tuning.limits(of: name) == nil)
    }
}
