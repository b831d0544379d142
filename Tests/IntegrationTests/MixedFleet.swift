import Foundation
import JobModel
import TestSupport

/// A Redis that Python and Swift share.
struct MixedFleet {
    static let provisioning = "isp_framework.process_service_provisioning"

    let queues: QueueServer
    let celery: PythonCelery

    init() async throws {
        queues = try await QueueServer()
        celery = try PythonCelery(
            redis: queues.url,
            scripts: Bundle.module.url(forResource: "Python", withExtension: nil))
    }

    /// What `backhaul quarantine list -o json` prints.
    struct Quarantine: Decodable {
        struct Entry: Decodable {
            let id: String?
            let name: String?
            let code: String
            let message: String
            let entry: String
        }

        let items: [Entry]
        let total: Int
    }

    func quarantine() async throws -> Quarantine {
        let listing = try await BackhaulProcess.run(
            ["quarantine", "list", "-o", "json", "--redis", queues.url])
        guard listing.code == 0 else {
            throw FixtureError("backhaul quarantine list failed: \(listing.errors)")
        }
        return try JSONDecoder().decode(Quarantine.self, from: Data(listing.output.utf8))
    }
}

extension MixedFleet {
    /// What `backhaul quarantine show --raw` prints: the message, byte for byte.
    func original(of entry: Quarantine.Entry) async throws -> [UInt8] {
        let shown = try await BackhaulProcess.run(
            ["quarantine", "show", entry.entry, "--raw", "--redis", queues.url])
        guard shown.code == 0 else {
            throw FixtureError("backhaul quarantine show failed: \(shown.errors)")
        }
        return Array(shown.output.utf8)
    }
}

extension [UInt8] {
    func holds(_ text: String) -> Bool { String(decoding: self, as: UTF8.self).contains(text) }
}
