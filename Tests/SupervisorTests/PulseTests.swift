import Glibc
import JobModel
import Mailbox
import ProcessControl
import TestSupport
import Testing

@testable import Supervisor

@Suite("The pulse of a worker process", .timeLimit(.minutes(1)))
struct PulseTests {
    /// A pair of ends of a line: the parent's, and the child's.
    private static func line() throws -> (parent: Int32, child: Lifeline) {
        var ends: [Int32] = [-1, -1]
        let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let failure = unsafe socketpair(AF_UNIX, kind, 0, &ends)
        try #require(failure == 0)
        return (ends[0], try #require(Lifeline(inherited: ends[1])))
    }

    private static func heard(_ parent: Int32) -> ProcessReport? {
        var buffer = [UInt8](repeating: 0, count: Lifeline.maximumLineBytes)
        let count = unsafe recv(parent, &buffer, buffer.count, 0)
        return count > 0 ? ProcessReport(line: Array(buffer.prefix(count))) : nil
    }

    private final class Worker: Sendable {
        private let state = Locked((drains: 0, recycled: [String]()))

        var drains: Int { state.withLock { $0.drains } }
        var recycled: [String] { state.withLock { $0.recycled } }

        func subject(jobsDone: Int = 0) -> Pulse.Subject {
            Pulse.Subject(
                report: {
                    var report = ProcessReport()
                    report.jobsDone = jobsDone
                    report.worker = "web01.1.x"
                    return report
                },
                recycle: { reason in self.state.withLock { $0.recycled.append(reason) } },
                drain: { self.state.withLock { $0.drains += 1 } })
        }
    }

    @Test("it reports to the supervisor, with memory, and asks it to be recycled")
    func reports() throws {
        let (parent, child) = try Self.line()
        let worker = Worker()
        let pulse = Pulse(
            of: worker.subject(jobsDone: 5), lifeline: child, isSupervised: true,
            notice: ProgressNotice(nil), recycling: RecyclingRule(afterJobs: 5), grace: .zero,
            logger: .silent)
        let report = Self.heard(parent)
        pulse.stop()
        #expect(report?.worker == "web01.1.x")
        #expect(report?.residentBytes ?? 0 > 1_000_000)
        #expect(report?.recycleBecause?.contains("worker.recycle_after_jobs") == true)
        #expect(worker.recycled == [] && worker.drains == 0)
        close(parent)
    }

    @Test("a process alone recycles itself, once")
    func recycles() async throws {
        let worker = Worker()
        let pulse = Pulse(
            of: worker.subject(jobsDone: 5), lifeline: Lifeline(), isSupervised: false,
            notice: ProgressNotice(nil), recycling: RecyclingRule(afterJobs: 5), grace: .zero,
            logger: .silent)
        try await eventually("recycling") { worker.recycled.count == 1 }
        pulse.hurry()
        pulse.stop()
        #expect(worker.recycled.count == 1 && worker.drains == 0)
    }

    @Test("when the supervisor is gone it drains")
    func orphaned() async throws {
        let (parent, child) = try Self.line()
        let worker = Worker()
        let pulse = Pulse(
            of: worker.subject(), lifeline: child, isSupervised: true,
            notice: ProgressNotice(nil), recycling: RecyclingRule(), grace: .seconds(600),
            logger: .silent)
        close(parent)
        try await eventually("draining") { worker.drains == 1 }
        pulse.stop()
    }

    @Test("what ignores that is cut off when the grace period is over, with every thread blocked")
    func cutOff() async {
        await #expect(processExitsWith: .exitCode(1)) {
            let (parent, child) = try PulseTests.line()
            let pulse = Pulse(
                of: Pulse.Subject(report: { ProcessReport() }), lifeline: child,
                isSupervised: true, notice: ProgressNotice(nil), recycling: RecyclingRule(),
                grace: .milliseconds(100), margin: .milliseconds(100), logger: .silent)
            close(parent)
            // Nothing of Swift's pool is needed for the end.
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<64 { group.addTask { while true { pause() } } }
            }
            pulse.stop()
        }
    }

    @Test("a report survives its line, and its status is one sentence")
    func line() {
        var report = ProcessReport()
        report.phase = "running"
        report.running = 12
        report.concurrency = 64
        report.held = 14
        report.jobsDone = 1000
        report.fetchAgeSeconds = 0.1234
        #expect(ProcessReport(line: report.line) == report)
        #expect(
            report.statusText == "running: 12 of 64 jobs, 14 held, 1000 done, fetched 0.1 s ago")
        #expect(ProcessReport(line: Array("nonsense".utf8)) == nil)
    }
}
