import JobModel
import TestSupport

@testable import Worker

extension WorkerFixture {
    /// A worker whose jobs last until they are cancelled, or do what is given.
    static func controlled(
        concurrency: Int = 2, prefetch: Int = 0, wait: Duration = .seconds(5),
        control: ControlPorts = ControlPorts(), log: RecordedLog = RecordedLog(),
        body: @escaping @Sendable (ProbeJob.Payload, JobContext) async throws -> Verdict = {
            _, _ in
            try await untilCancelled()
            return .done
        }
    ) async throws -> (WorkerFixture, ControlClient) {
        let fixture = try await WorkerFixture(
            .with { options in
                options.nodeName = "probe@test"
                options.concurrency = concurrency
                options.prefetch = prefetch
                options.waitLimit = wait
                options.cancellationInterval = .milliseconds(50)
            }, control: control, logger: log.logger, body: body)
        return (fixture, ControlClient(fixture.raw))
    }

    /// Returns once so many jobs run.
    func running(_ count: Int) async throws {
        try await eventually(within: .seconds(20), "\(count) running") {
            service.runningJobs.count == count
        }
    }
}

/// A gate that bodies wait at until a test opens it.
final class AsyncGate: Sendable {
    private let gate = Gate()

    func open() { gate.open() }
    func close() { gate.close() }
    func wait() async { await gate.pass() }
}
