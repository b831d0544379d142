import Foundation
import JobModel
import Logging
import Mailbox
import Telemetry
import TestSupport

@testable import Health

/// A wall clock that stands still.
struct FrozenTime: TimeSource {
    let now: Date
}

/// A health server with a worker's vitals behind it, as long as `body` runs.
struct HealthFixture {
    let vitals = WorkerVitals()
    let registry = MetricRegistry()
    let metrics: WorkerMetrics
    let log = RecordedLog()
    var limits = HealthLimits()
    var healthLimits = WorkerHealth.Limits()
    var dependencies: [Dependency] = []
    var address = HealthAddress(host: "127.0.0.1", port: 0)

    init() {
        // A loaded machine may take its time; what is too old is judged in WorkerHealthTests.
        healthLimits.fetch = .seconds(3600)
        healthLimits.lease = .seconds(3600)
        healthLimits.loop = .seconds(3600)
        metrics = WorkerMetrics(
            registry: registry, vitals: vitals, version: "1.2.3",
            jobNames: (0..<20).map { "job.\($0)" }, queues: ["mail", "pay"])
        ProcessFigures.register(in: registry)
        for number in 0..<20 {
            for outcome in ["succeeded", "retry", "dead"] {
                metrics.finished(
                    queue: number.isMultiple(of: 2) ? "mail" : "pay", job: "job.\(number)",
                    outcome: outcome, after: [.milliseconds(number)])
            }
        }
    }

    var pages: HealthPages {
        HealthPages(
            checks: WorkerHealth(vitals, limits: healthLimits).checks,
            metrics: { [registry] in registry.snapshot() }, version: "1.2.3",
            time: FrozenTime(now: Date(timeIntervalSince1970: 1_795_000_000.25)))
    }

    /// A worker that is well.
    func beWell() {
        vitals.notePrepared()
        metrics.reserved(0)
        metrics.leaseRenewed()
        for loop in WorkerVitals.Loop.allCases { vitals.beat(loop) }
    }

    /// Runs `body` with the port of a running server.
    func serving(_ body: @Sendable (Int) async throws -> Void) async throws {
        let server = HealthServer(
            address: address, pages: pages, dependencies: dependencies, limits: limits,
            logger: log.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            try await eventually("the health port") { server.port != nil }
            try await body(server.port ?? 0)
            group.cancelAll()
        }
    }
}

/// Runs blocking code on a thread of its own.
func onThread<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        _ = OwnerThread(name: "test-client") {
            continuation.resume(with: Result { try body() })
        }
    }
}

/// Fails the test from a thread of its own, where an expectation would not know whose it is.
func demand(
    _ isMet: Bool, _ what: String = "", fileID: String = #fileID, line: Int = #line
) throws {
    guard !isMet else { return }
    throw NotMet(description: "not as it should be at \(fileID):\(line) \(what)")
}

/// What ``demand(_:_:fileID:line:)`` throws.
struct NotMet: Error, CustomStringConvertible {
    let description: String
}
