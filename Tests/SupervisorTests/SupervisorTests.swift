import Glibc
import Mailbox
import ProcessControl
import TestSupport
import Testing

@testable import Supervisor

@Suite("A supervisor keeps real processes", .timeLimit(.minutes(2)))
struct SupervisorTests {
    private static let report: String = {
        var report = ProcessReport()
        report.isReady = true
        report.worker = "worker-1"
        return String(decoding: report.line, as: UTF8.self)
    }()

    /// Reports ten times a second; ends with 0 when told to stop.
    private static let honest = """
        trap 'exit 0' TERM
        while :; do printf '%s' "$REPORT" >&3; sleep 0.1; done
        """

    /// Runs `body` beside a supervisor of shells with that script; returns its exit code.
    private func supervise(
        _ script: String, processes: Int = 1,
        _ change: (inout SupervisorOptions) -> Void = { _ in },
        _ body: (Supervisor, Scene) async throws -> Void
    ) async throws -> Int32 {
        let scene = Scene()
        var options = SupervisorOptions(processes: processes)
        options.tick = .milliseconds(20)
        options.firstDelay = .milliseconds(50)
        change(&options)
        let supervisor = Supervisor(
            options: options,
            image: { number in
                scene.begun(number)
                return ProcessImage(
                    path: "/bin/sh", arguments: ["sh", "-c", script],
                    environment: ["PATH": "/usr/bin:/bin", "REPORT": Self.report])
            },
            childSignals: [], notice: ProgressNotice(nil),
            onDeath: { scene.buried($0) }, logger: scene.log.logger)
        return try await withThrowingTaskGroup(of: Int32.self) { group in
            group.addTask { await supervisor.run() }
            do { try await body(supervisor, scene) } catch {
                for _ in 1...3 { supervisor.receive(.term) }
                throw error
            }
            supervisor.receive(.term)
            return try await group.next() ?? -1
        }
    }

    private final class Scene: Sendable {
        let log = RecordedLog()
        private let state = Locked((starts: [Int](), buried: [String]()))

        func begun(_ number: Int) { state.withLock { $0.starts.append(number) } }
        func buried(_ worker: String) { state.withLock { $0.buried.append(worker) } }

        var starts: [Int] { state.withLock { $0.starts } }
        var buried: [String] { state.withLock { $0.buried } }

        /// The processes started so far, the first one first.
        var pids: [Int32] {
            log.lines.filter { $0.message == "a worker process started" }
                .compactMap { $0.metadata["process.id"].flatMap { Int32($0) } }
        }
    }

    @Test("each is started, reports, and ends when told to: with 0")
    func plain() async throws {
        let code = try await supervise(Self.honest, processes: 3) { supervisor, scene in
            try await eventually("three reports") { supervisor.reports.count == 3 }
            #expect(scene.starts == [1, 2, 3])
        }
        #expect(code == 0)
    }

    @Test("one that is killed is buried and started again")
    func killed() async throws {
        let code = try await supervise(Self.honest) { supervisor, scene in
            try await eventually("a report") { supervisor.reports.count == 1 }
            let pid = try #require(scene.pids.first)
            Glibc.kill(pid, SIGKILL)
            try await eventually("another") { scene.pids.count == 2 }
            try await eventually("the burial") { scene.buried == ["worker-1"] }
        }
        #expect(code == 0)
    }

    @Test("one that ends again and again is started ever more slowly, and the log says so")
    func crashLoop() async throws {
        let code = try await supervise("exit 3") {
            $0.longestDelay = .milliseconds(100)
        } _: {
            _, scene in
            try await eventually("a crash loop") {
                scene.log.notableMessages.contains { $0.contains("again and again") }
            }
            let ends = scene.log.lines.filter { $0.message == "a worker process ended" }
            #expect(ends.first?.metadata["exit"] == "exit code 3")
        }
        #expect(code == 0)
    }

    @Test("one that says nothing is killed and started again")
    func silent() async throws {
        let code = try await supervise("while :; do sleep 1; done") {
            $0.silenceLimit = .milliseconds(500)
        } _: { _, scene in
            try await eventually("another process") { scene.pids.count >= 2 }
            #expect(
                scene.log.notableMessages.contains("a worker process is silent; killing it"))
        }
        #expect(code == 0)
    }

    @Test("one that was stopped in its tracks is killed, though it was ready")
    func stopped() async throws {
        let code = try await supervise(Self.honest) {
            $0.silenceLimit = .seconds(2)
        } _: {
            supervisor, scene in
            try await eventually("a report") { supervisor.reports.count == 1 }
            let pid = try #require(scene.pids.first)
            Glibc.kill(pid, SIGSTOP)
            try await eventually("another process") { scene.pids.count == 2 }
        }
        #expect(code == 0)
    }

    @Test("HUP replaces all, and at no time fewer are ready")
    func rolling() async throws {
        let code = try await supervise(Self.honest, processes: 2) { supervisor, scene in
            try await eventually("two reports") { supervisor.reports.count == 2 }
            supervisor.receive(.hup)
            try await eventually("the replacement of both") {
                #expect(supervisor.reports.count == 2)
                return scene.log.notableMessages.contains("worker processes replaced")
            }
            #expect(scene.pids.count == 4)
            #expect(scene.starts == [1, 2, 1, 2])
        }
        #expect(code == 0)
    }

    @Test("one that does not stop is killed when its time is over, and the exit code is 1")
    func stubborn() async throws {
        let stubborn = """
            trap '' TERM
            while :; do printf '%s' "$REPORT" >&3; sleep 0.1; done
            """
        let code = try await supervise(stubborn) {
            $0.stopTimeout = .milliseconds(300)
        } _: {
            supervisor, _ in
            try await eventually("a report") { supervisor.reports.count == 1 }
        }
        #expect(code == 1)
    }
}
