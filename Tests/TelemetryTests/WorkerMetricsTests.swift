import Foundation
import Testing

@testable import Telemetry

@Suite("What a worker counts")
struct WorkerMetricsTests {
    private let clock = HandClock()
    private let registry = MetricRegistry()
    private let metrics: WorkerMetrics

    init() {
        metrics = WorkerMetrics(
            registry: registry, vitals: WorkerVitals(clock: clock), version: "1.2.3",
            jobNames: ["mail.send", "pay.charge"], queues: ["mail", "pay"], clock: clock)
    }

    private func page() throws -> [String: ExpositionParser.Family] {
        try ExpositionParser.read(PrometheusText.render(registry.snapshot()))
    }

    private func value(_ name: String, _ labels: [String: String] = [:]) throws -> Double? {
        try page().values.flatMap(\.samples)
            .first { $0.name == name && $0.labels == labels }?.value
    }

    @Test("a finished job is counted by queue, name and outcome, and its time noted")
    func finished() throws {
        for _ in 0..<3 {
            metrics.finished(
                queue: "mail", job: "mail.send", outcome: "succeeded", after: [.milliseconds(20)])
        }
        metrics.finished(queue: "mail", job: "mail.send", outcome: "expired", after: [])
        let labels = ["queue": "mail", "job": "mail.send"]
        #expect(
            try value("backhaul_jobs_total", labels.merging(["outcome": "succeeded"]) { $1 }) == 3)
        #expect(
            try value("backhaul_jobs_total", labels.merging(["outcome": "expired"]) { $1 }) == 1)
        #expect(
            try value("backhaul_job_duration_seconds_count", ["job": "mail.send"]) == 3)
        #expect(
            try value("backhaul_job_duration_seconds_bucket", ["job": "mail.send", "le": "0.01"])
                == 0)
        #expect(
            try value("backhaul_job_duration_seconds_bucket", ["job": "mail.send", "le": "0.025"])
                == 3)
    }

    @Test("ten thousand names from the wire make one series")
    func unknownNames() throws {
        for number in 0..<10_000 {
            metrics.finished(
                queue: "q\(number)", job: "evil.\(number)", outcome: "quarantined", after: [])
        }
        metrics.finished(queue: "mail", job: nil, outcome: "quarantined", after: [.seconds(1)])
        let samples = try page()["backhaul_jobs_total"]?.samples ?? []
        #expect(samples.count == 2)
        #expect(
            samples.contains {
                $0.value == 10_000 && $0.labels["job"] == "unknown"
                    && $0.labels["queue"] == "unknown"
            })
    }

    @Test("reasons of quarantine are bounded")
    func reasons() throws {
        for number in 0..<200 { metrics.quarantined(reason: "reason.\(number)") }
        let samples = try page()["backhaul_quarantined_total"]?.samples ?? []
        #expect(samples.count == WorkerMetrics.maximumReasons + 1)
        #expect(samples.map(\.value).reduce(0, +) == 200)
    }

    @Test("a fetch makes the worker's fetch young, and shows the broker as up")
    func fetches() throws {
        clock.advance(by: .seconds(7))
        #expect(try value("backhaul_fetch_age_seconds") == 7)
        #expect(try value("backhaul_broker_up") == 0)
        metrics.reserved(3)
        #expect(try value("backhaul_fetch_age_seconds") == 0)
        #expect(try value("backhaul_broker_up") == 1)
        #expect(try value("backhaul_reserve_batch_size_sum") == 3)
        clock.advance(by: .seconds(2))
        metrics.waited()
        #expect(try value("backhaul_fetch_age_seconds") == 0)
        metrics.vitals.fetch.rest()
        clock.advance(by: .seconds(100))
        #expect(try value("backhaul_fetch_age_seconds") == 0)
    }

    @Test("an outage is counted while it lasts, once, whoever tells of it")
    func outages() throws {
        metrics.brokerAnswered()
        metrics.brokerFailed()
        clock.advance(by: .seconds(4))
        metrics.brokerFailed()
        clock.advance(by: .seconds(1))
        #expect(try value("backhaul_broker_up") == 0)
        #expect(try value("backhaul_outage_seconds_total") == 5)
        metrics.brokerAnswered()
        clock.advance(by: .seconds(60))
        #expect(try value("backhaul_outage_seconds_total") == 5)
        #expect(try value("backhaul_broker_up") == 1)
    }

    @Test("levels go up and down, and counters count")
    func levels() throws {
        metrics.change(.jobsRunning, by: 2)
        metrics.change(.jobsRunning, by: -1)
        metrics.set(.deliveriesHeld, to: 9)
        metrics.leaseLost()
        metrics.settleRepeated(4)
        metrics.reclaimed(5)
        metrics.promoted(6)
        clock.advance(by: .seconds(3))
        metrics.leaseRenewed()
        clock.advance(by: .seconds(1))
        #expect(try value("backhaul_jobs_running") == 1)
        #expect(try value("backhaul_deliveries_held") == 9)
        #expect(try value("backhaul_slots_lost") == 0)
        #expect(try value("backhaul_leases_lost_total") == 1)
        #expect(try value("backhaul_settle_repeats_total") == 4)
        #expect(try value("backhaul_reclaimed_total") == 5)
        #expect(try value("backhaul_promoted_total") == 6)
        #expect(try value("backhaul_lease_age_seconds") == 1)
        #expect(try value("backhaul_build_info", ["version": "1.2.3"]) == 1)
    }

    @Test("finishing costs little enough for a hundred thousand jobs a second")
    func cost() {
        let count = 200_000
        let time = ContinuousClock().measure {
            for _ in 0..<count {
                metrics.finished(
                    queue: "mail", job: "mail.send", outcome: "succeeded",
                    after: [.milliseconds(1)])
            }
        }
        print("one finished job: \(time / count)")
        #expect(time < .seconds(10))
    }

    @Test("the process shows its memory, time, start and files")
    func process() throws {
        ProcessFigures.register(in: registry)
        let memory = try #require(try value("process_resident_memory_bytes"))
        #expect(memory > 1_000_000 && memory < 100e9)
        #expect(try #require(try value("process_cpu_seconds_total")) > 0)
        #expect(try #require(try value("process_open_fds")) >= 3)
        let start = try #require(try value("process_start_time_seconds"))
        #expect(start > 1_600_000_000)
    }

    @Test("a process whose name looks like fields is read all the same")
    func processName() {
        let fields = (3...52).map { "\($0)" }.joined(separator: " ")
        let stat = ProcessFigures.Stat("77 (a) 1 2) x) \(fields)")
        #expect(stat?.processorTicks == 14 + 15)
        #expect(stat?.startTicks == 22)
        #expect(stat?.residentPages == 24)
        #expect(ProcessFigures.Stat("77 (a") == nil)
        #expect(ProcessFigures.Stat("77 (a) S 1") == nil)
    }

    // MARK: Documents

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private func text(of path: String) throws -> String {
        try String(contentsOf: Self.root.appendingPathComponent(path), encoding: .utf8)
    }

    @Test("docs/metrics.md lists every metric of a worker, with its type and labels, and no other")
    func documents() throws {
        ProcessFigures.register(in: registry)
        let rows = try text(of: "docs/metrics.md").split(separator: "\n").compactMap { line in
            line.wholeMatch(of: /\| `([a-z_]+)` \| (\w+) \| ([^|]*) \|.*/).map {
                "\($0.1) \($0.2) \($0.3.replacing("`", with: ""))"
            }
        }.filter { !$0.hasPrefix("backhaul_outbox_") }  // The relay's own test reads those.
        let made = registry.descriptions.map {
            "\($0.name) \($0.kind.rawValue) \($0.labels.joined(separator: ", "))"
        }
        #expect(Set(rows).subtracting(made) == [])
        #expect(Set(made).subtracting(rows) == [])
        #expect(rows.count == made.count)
    }

    @Test("alerts speak of metrics that exist, and each says what to do")
    func alerts() throws {
        ProcessFigures.register(in: registry)
        let text = try text(of: "config/prometheus/alerts.yml")
        let names = Set(registry.descriptions.map(\.name))
        let used = text.matches(of: /\b(?:backhaul|process)_[a-z_]+/).map { String($0.0) }
        #expect(used.count > 5)
        for name in used {
            let base = ["_bucket", "_sum", "_count"].reduce(name) { name, end in
                name.hasSuffix(end) ? String(name.dropLast(end.count)) : name
            }
            #expect(names.contains(base), "\(name)")
        }
        let alerts = text.matches(of: #/- alert: /#).count
        #expect(alerts >= 5)
        #expect(text.matches(of: #/description: /#).count == alerts)
    }
}
