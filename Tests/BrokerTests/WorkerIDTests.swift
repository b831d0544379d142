import Testing

@testable import Broker

@Suite("The identity of a worker")
struct WorkerIDTests {
    @Test("a worker's identity survives its tag, and other tags have no owner")
    func identity() {
        let worker = WorkerID(host: "node-1.isp.example", processID: 42, random: 99)
        #expect(worker.text.allSatisfy { $0 != "-" && $0 != "*" })
        #expect(WorkerID(owning: "\(worker.text)-12-3") == worker)
        #expect(WorkerID(owning: "8b97054d-e1fb-4828-9412-ab53c59f29ff") == nil)
    }
}
