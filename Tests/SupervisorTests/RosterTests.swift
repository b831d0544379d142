import JobModel
import ProcessControl
import TestSupport
import Testing

@testable import Supervisor

@Suite("A supervisor decides what becomes of its processes")
struct RosterTests {
    private let log = RecordedLog()

    private func roster(
        _ count: Int = 2, _ change: (inout SupervisorOptions) -> Void = { _ in }
    ) -> Roster {
        var options = SupervisorOptions(processes: count)
        change(&options)
        return Roster(options: options, logger: log.logger, now: .zero)
    }

    private func report(
        ready: Bool = true, worker: String? = nil, recycle: String? = nil, progress: Bool = true
    ) -> ProcessReport {
        var report = ProcessReport()
        report.isReady = ready
        report.isProgressing = progress
        report.worker = worker
        report.recycleBecause = recycle
        return report
    }

    /// A roster whose processes, 1 to `count`, are all ready.
    private func ready(_ count: Int = 2) -> Roster {
        var roster = roster(count)
        #expect(
            roster.begin(at: .zero) == (1...count).map { .start(child: $0, process: $0) })
        for child in 1...count {
            #expect(roster.heard(report(), from: child, at: .zero) == [])
        }
        #expect(roster.isReady)
        return roster
    }

    @Test("a process that ends is started again, later each time, and at once after health")
    func backoff() {
        var roster = roster(1)
        var actions = roster.begin(at: .zero)
        var now = Duration.zero
        var delays: [Duration] = []
        for child in 1...9 {
            #expect(actions == [.start(child: child, process: 1)])
            #expect(roster.ended(child, as: .exited(1), at: now) == [])
            let end = now
            repeat {
                now += .milliseconds(50)
                actions = roster.tick(at: now)
            } while actions.isEmpty
            delays.append(now - end)
        }
        #expect(
            delays == [
                .milliseconds(250), .milliseconds(500), .seconds(1), .seconds(2), .seconds(4),
                .seconds(8), .seconds(16), .seconds(30), .seconds(30),
            ])
        let loops = log.lines.filter { $0.message.contains("again and again") }
        #expect(loops.map(\.metadata["count"]) == ["5"])
        _ = roster.heard(report(), from: 10, at: now)
        now += .seconds(31)
        #expect(roster.ended(10, as: .signalled(9), at: now) == [])
        _ = roster.tick(at: now + .milliseconds(1))
        #expect(roster.tick(at: now + .milliseconds(251)) == [.start(child: 11, process: 1)])
    }

    @Test("one that asks to be started anew is, at once, unless it has hardly lived")
    func recycleCode() {
        var roster = ready(1)
        #expect(
            roster.ended(1, as: .exited(75), at: .seconds(2)) == [.start(child: 2, process: 1)])
        #expect(roster.ended(2, as: .exited(75), at: .seconds(2)) == [])
    }

    @Test("a worker that ends without goodbye is reported; one that takes its leave is not")
    func burial() {
        var roster = ready(2)
        _ = roster.heard(report(worker: "a"), from: 1, at: .zero)
        _ = roster.heard(report(worker: "b"), from: 2, at: .zero)
        #expect(roster.ended(1, as: .signalled(9), at: .zero) == [.bury(worker: "a")])
        #expect(roster.ended(2, as: .exited(0), at: .zero) == [])
    }

    @Test("HUP replaces one after the other, and no old one goes before a new one is ready")
    func rolling() {
        var roster = ready(2)
        #expect(roster.received(.hup, at: .zero) == [.start(child: 3, process: 1)])
        #expect(roster.heard(report(ready: false), from: 3, at: .zero) == [])
        #expect(roster.readyCount == 2)
        #expect(roster.heard(report(), from: 3, at: .zero) == [.signal(child: 1, .term)])
        #expect(roster.readyCount == 2)
        #expect(roster.tick(at: .seconds(1)) == [])
        #expect(roster.ended(1, as: .exited(0), at: .zero) == [.start(child: 4, process: 2)])
        #expect(roster.heard(report(), from: 4, at: .zero) == [.signal(child: 2, .term)])
        #expect(roster.isReplacing)
        #expect(roster.ended(2, as: .exited(0), at: .zero) == [])
        #expect(!roster.isReplacing && roster.isReady)
        #expect(log.notableMessages.last == "worker processes replaced")
    }

    @Test("a replacement that never gets ready is given up, and the old ones go on")
    func givenUp() {
        var roster = ready(2)
        #expect(roster.received(.hup, at: .zero) == [.start(child: 3, process: 1)])
        #expect(roster.ended(3, as: .exited(78), at: .zero) == [])
        #expect(roster.tick(at: .seconds(1)) == [.start(child: 4, process: 1)])
        #expect(roster.ended(4, as: .exited(78), at: .seconds(1)) == [])
        #expect(roster.tick(at: .seconds(2)) == [.start(child: 5, process: 1)])
        #expect(roster.ended(5, as: .exited(78), at: .seconds(2)) == [])
        #expect(!roster.isReplacing && roster.isReady)
        #expect(
            log.lines.last?.message
                == "replacing a worker process was given up; the old one goes on")
    }

    @Test("one that wants to be recycled is replaced when it is its turn")
    func recycling() {
        var roster = ready(2)
        let wish = report(recycle: "jobs")
        #expect(roster.heard(wish, from: 2, at: .zero) == [.start(child: 3, process: 2)])
        #expect(roster.heard(wish, from: 1, at: .zero) == [])
        #expect(roster.heard(report(), from: 3, at: .zero) == [.signal(child: 2, .term)])
        #expect(roster.ended(2, as: .exited(0), at: .zero) == [.start(child: 4, process: 1)])
    }

    @Test("an old one that ends by itself leaves its place to its replacement")
    func oldEnds() {
        var roster = ready(1)
        _ = roster.heard(report(recycle: "jobs"), from: 1, at: .zero)
        #expect(roster.ended(1, as: .exited(75), at: .seconds(2)) == [])
        #expect(roster.heard(report(), from: 2, at: .seconds(3)) == [])
        #expect(roster.isReady && !roster.isReplacing)
    }

    @Test("a silent process is killed and started again; a supervisor that slept blames nobody")
    func silence() {
        var roster = ready(2)
        for second in 1...15 {
            #expect(roster.tick(at: .seconds(second)) == [])
            _ = roster.heard(report(), from: 2, at: .seconds(second))
        }
        #expect(roster.tick(at: .seconds(16)) == [.signal(child: 1, .kill)])
        #expect(roster.tick(at: .seconds(17)) == [])
        #expect(roster.tick(at: .seconds(600)) == [])
        #expect(roster.ended(1, as: .signalled(9), at: .seconds(600)) == [])
        #expect(roster.tick(at: .seconds(601)) == [.start(child: 3, process: 1)])
    }

    @Test("one that makes no progress for long is replaced")
    func stall() {
        var roster = ready(1)
        for second in 1...60 {
            _ = roster.heard(report(progress: false), from: 1, at: .seconds(second))
            #expect(roster.tick(at: .seconds(second)) == [])
        }
        _ = roster.heard(report(progress: false), from: 1, at: .seconds(62))
        #expect(roster.tick(at: .seconds(62)) == [.start(child: 2, process: 1)])
    }

    @Test("TERM is passed on once, and who does not stop in time is killed")
    func stopTimeout() {
        var roster = ready(2)
        #expect(
            roster.received(.term, at: .zero)
                == [.signal(child: 1, .term), .signal(child: 2, .term)])
        #expect(roster.ended(1, as: .exited(0), at: .seconds(1)) == [])
        for second in 1...39 {
            _ = roster.heard(report(), from: 2, at: .seconds(second))
            #expect(roster.tick(at: .seconds(second)) == [])
        }
        #expect(!roster.isEmpty && !roster.hasKilled)
        #expect(roster.tick(at: .seconds(40)) == [.signal(child: 2, .kill)])
        _ = roster.ended(2, as: .signalled(9), at: .seconds(40))
        #expect(roster.isEmpty && roster.isStopping && roster.hasKilled)
    }

    @Test("a third request to stop waits for nobody")
    func impatience() {
        var roster = ready(1)
        #expect(roster.received(.int, at: .zero) == [.signal(child: 1, .int)])
        #expect(roster.received(.int, at: .zero) == [.signal(child: 1, .int)])
        #expect(roster.received(.int, at: .zero) == [.signal(child: 1, .kill)])
        #expect(roster.hasKilled)
    }

    @Test("a process that drains already is not told to stop a second time")
    func toldOnce() {
        var roster = ready(1)
        _ = roster.received(.hup, at: .zero)
        #expect(roster.heard(report(), from: 2, at: .zero) == [.signal(child: 1, .term)])
        #expect(roster.received(.term, at: .zero) == [.signal(child: 2, .term)])
    }

    @Test("quiet holds for those that come later, until HUP")
    func quiet() {
        var roster = ready(1)
        #expect(roster.received(.tstp, at: .zero) == [.signal(child: 1, .tstp)])
        #expect(
            roster.ended(1, as: .exited(75), at: .seconds(2))
                == [.start(child: 2, process: 1), .signal(child: 2, .tstp)])
        #expect(roster.received(.hup, at: .seconds(2)) == [.start(child: 3, process: 1)])
    }
}
