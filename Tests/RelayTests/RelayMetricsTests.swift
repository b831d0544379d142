import Foundation
import Relay
import Telemetry
import Testing

@Suite("What the relay counts")
struct RelayMetricsTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test("docs/metrics.md lists every metric of the outbox, with its type, and no other")
    func documents() throws {
        let registry = MetricRegistry()
        _ = RelayMetrics(registry: registry)
        let path = Self.root.appendingPathComponent("docs/metrics.md")
        let text = try String(contentsOf: path, encoding: .utf8)
        let rows = text.split(separator: "\n").compactMap { line in
            line.wholeMatch(of: /\| `(backhaul_outbox_[a-z_]+)` \| (\w+) \|.*/).map {
                "\($0.1) \($0.2)"
            }
        }
        let made = registry.descriptions.map { "\($0.name) \($0.kind.rawValue)" }
        #expect(rows.sorted() == made.sorted())
    }
}
