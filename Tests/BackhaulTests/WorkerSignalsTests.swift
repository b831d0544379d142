import Mailbox
import ProcessControl
import TestSupport
import Testing

@testable import Backhaul

@Suite("What a signal means to a worker")
struct WorkerSignalsTests {
    /// A worker that writes down what it is told.
    private final class Listener: WorkerControl {
        private let words = Locked<[String]>([])

        var heard: [String] { words.withLock { $0 } }

        func hear(_ word: String) { words.withLock { $0.append(word) } }

        func run() async -> WorkerEnd { .drained }
        func quiet() { hear("quiet") }
        func drain() { hear("drain") }
        func cancel() { hear("cancel") }
        func abandon() { hear("abandon") }
        func recycle(because reason: String) { hear("recycle") }
        var status: WorkerStatus { WorkerStatus() }
        var runningJobs: [RunningJob] { [] }
        var isBrokerAway: Bool { false }
    }

    private static let supervisor: Int32 = 77
    private let listener = Listener()
    private let log = RecordedLog()

    private func signals(problem: String? = nil) -> WorkerSignals {
        let listener = listener
        return WorkerSignals(
            listener, supervisor: Self.supervisor, checkSettings: { problem },
            willReload: { listener.hear("reloading") }, willStop: { listener.hear("stopping") },
            logger: log.logger)
    }

    @Test(
        "each has its verb, and a second one its own",
        arguments: [
            ([ProcessSignal.term], ["stopping", "drain"]), ([.int], ["stopping", "drain"]),
            ([.term, .term], ["stopping", "drain", "cancel"]),
            ([.int, .int], ["stopping", "drain", "abandon"]),
            ([.term, .int], ["stopping", "drain", "abandon"]),
            ([.quit], ["stopping", "abandon"]), ([.tstp], ["quiet"]), ([.usr1], ["quiet"]),
            ([.hup], ["reloading", "drain"]), ([.hup, .hup], ["reloading", "drain"]),
            ([.term, .hup], ["stopping", "drain"]), ([.usr2], []), ([.ttin], []),
        ])
    func verbs(received: [ProcessSignal], verbs: [String]) {
        let signals = signals()
        for signal in received { signals.handle(.init(signal)) }
        #expect(listener.heard == verbs)
    }

    @Test("one stop told by the supervisor and by somebody else is one stop")
    func senders() {
        let signals = signals()
        signals.handle(.init(.term, from: 1))
        signals.handle(.init(.term, from: Self.supervisor))
        #expect(!listener.heard.contains("cancel"))
        signals.handle(.init(.term, from: Self.supervisor))
        #expect(listener.heard.contains("cancel"))
    }

    @Test("a stop takes back a reload")
    func stopWins() {
        let signals = signals()
        signals.handle(.init(.hup))
        #expect(signals.isReloading)
        signals.handle(.init(.term))
        #expect(!signals.isReloading)
        signals.handle(.init(.hup))
        #expect(!signals.isReloading)
    }

    @Test("a reload with settings that cannot be used is refused")
    func unusable() {
        let signals = signals(problem: "worker.concurrency: must be a whole number")
        signals.handle(.init(.hup))
        #expect(listener.heard == [] && !signals.isReloading)
        #expect(log.lines.first?.metadata["error.message"]?.contains("concurrency") == true)
    }

    @Test("the state goes to the log as a line of facts")
    func dump() {
        signals().handle(.init(.usr2))
        #expect(log.notableMessages == ["state of the worker"])
        #expect(log.lines.first?.metadata["phase"] == "running")
    }
}
