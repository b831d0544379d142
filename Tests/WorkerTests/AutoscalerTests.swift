import Broker
import Foundation
import JobModel
import Mailbox
import Telemetry
import TestSupport
import Testing

@testable import Worker

@Suite("Autoscale")
struct AutoscalerTests {
    /// An autoscaler over lanes whose load the test sets.
    private struct Scene {
        let load = Locked(0)
        let lanes: LanePool
        let scaler: Autoscaler
        let server: QueueServer

        init(_ bounds: ClosedRange<Int>) async throws {
            server = try await QueueServer()
            let options = WorkerOptions(queues: ["work"])
            let outage = Outage(logger: .silent)
            let held = HeldLeases()
            let presence = WorkerPresence(
                worker: WorkerID(host: "t", processID: 1, random: 1), host: "t", processID: 1,
                queues: ["work"], concurrency: bounds.lowerBound, startedAt: .distantPast,
                version: "t")
            let fetcher = Fetcher(
                broker: server.broker, worker: WorkerID(text: presence.worker), options: options,
                held: held, pace: Pace(), outage: outage, metrics: .unseen(),
                isLeaseCurrent: { true }, giveBack: { _ in })
            lanes = LanePool(
                bounds.lowerBound, fetcher: fetcher,
                presence: PresenceNote(presence, queues: ["work"]))
            scaler = Autoscaler(bounds, lanes: lanes) { [load] in load.withLock { $0 } }
        }

        func look(_ busy: Int, at seconds: Double) -> Int {
            load.withLock { $0 = busy }
            scaler.look(at: .seconds(seconds))
            return lanes.count
        }
    }

    @Test("all busy means more at once; half a minute with idle ones means fewer")
    func follows() async throws {
        let scene = try await Scene(2...8)
        #expect(scene.look(1, at: 0) == 2)
        #expect(scene.look(2, at: 1) == 8)
        #expect(scene.look(8, at: 2) == 8)
        #expect(scene.look(3, at: 3) == 8)
        #expect(scene.look(3, at: 32) == 8)
        #expect(scene.look(3, at: 33) == 3)
        #expect(scene.look(0, at: 34) == 3)
        #expect(scene.look(0, at: 70) == 2)
    }

    @Test("being busy in between begins the half minute anew")
    func patience() async throws {
        let scene = try await Scene(1...4)
        #expect(scene.look(1, at: 0) == 4)
        #expect(scene.look(2, at: 1) == 4)
        #expect(scene.look(4, at: 29) == 4)
        #expect(scene.look(2, at: 31) == 4)
        #expect(scene.look(2, at: 62) == 2)
    }

    @Test("other bounds hold at once")
    func bounds() async throws {
        let scene = try await Scene(1...4)
        scene.scaler.set(3...5)
        #expect(scene.lanes.count == 3)
        #expect(scene.look(3, at: 1) == 5)
        scene.scaler.set(1...2)
        #expect(scene.lanes.count == 2)
    }
}

extension WorkerMetrics {
    /// Metrics that nobody reads.
    fileprivate static func unseen() -> WorkerMetrics {
        WorkerMetrics(
            registry: MetricRegistry(), vitals: WorkerVitals(), version: "t", jobNames: [],
            queues: [])
    }
}
