import TestSupport
import Testing

@testable import Telemetry

@Suite("Metrics as Prometheus reads them")
struct PrometheusTextTests {
    @Test("a page has help, type and one line for each series")
    func page() {
        let registry = MetricRegistry()
        let jobs = registry.counter("jobs_total", "Jobs.", labels: ["queue"])
        jobs.series("mail").add(3)
        jobs.series("pay").add()
        registry.gauge("level", "A level.").series().set(0.25)
        let times = registry.histogram(
            "time_seconds", "Times.", bounds: .durations([.milliseconds(1), .seconds(1)]))
        times.series().observe(.milliseconds(1))
        times.series().observe(.milliseconds(500))
        times.series().observe(.seconds(2))
        #expect(
            PrometheusText.render(registry.snapshot()) == """
                # HELP jobs_total Jobs.
                # TYPE jobs_total counter
                jobs_total{queue="mail"} 3
                jobs_total{queue="pay"} 1
                # HELP level A level.
                # TYPE level gauge
                level 0.25
                # HELP time_seconds Times.
                # TYPE time_seconds histogram
                time_seconds_bucket{le="0.001"} 1
                time_seconds_bucket{le="1"} 2
                time_seconds_bucket{le="+Inf"} 3
                time_seconds_sum 2.501
                time_seconds_count 3

                """)
    }

    @Test("a metric without series is not on the page")
    func empty() {
        let registry = MetricRegistry()
        _ = registry.counter("jobs_total", "Jobs.", labels: ["queue"])
        registry.computed(.gauge, "unknown", "Not known.") { nil }
        registry.computed(.gauge, "nothing", "No number.") { .nan }
        #expect(PrometheusText.render(registry.snapshot()) == "")
    }

    @Test("whatever labels and numbers are, a strict reader gets them back")
    func property() throws {
        var random = RepeatableRandom()
        for round in 0..<300 {
            let registry = MetricRegistry()
            let help = text(&random)
            let counter = registry.counter("a_total", help, labels: ["one", "two"])
            let gauge = registry.gauge("b", help, labels: ["one"])
            let histogram = registry.histogram(
                "c", help, labels: ["one"], bounds: .counts([1, 10, 100]))
            var counts: [[String]: Int] = [:]
            var levels: [String: Double] = [:]
            var observed: [String: [Int]] = [:]
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                let pair = [text(&random), text(&random)]
                let count = Int.random(in: 0...1_000_000, using: &random)
                counter.series(pair[0], pair[1]).add(count)
                counts[pair, default: 0] += count
                let level = Double(bitPattern: random.next())
                if level.isFinite {
                    gauge.series(pair[0]).set(level)
                    levels[pair[0]] = level
                }
                let size = Int.random(in: 0...200, using: &random)
                histogram.series(pair[1]).observe(size)
                observed[pair[1], default: []].append(size)
            }
            let page = PrometheusText.render(registry.snapshot())
            let read = try ExpositionParser.read(page)
            let seed: Comment = "seed \(random.seed), round \(round)"
            for family in read.values { #expect(family.help == help, seed) }
            #expect(
                dictionary(read["a_total"]) { [$0["one"] ?? "", $0["two"] ?? ""] }
                    == counts.mapValues(Double.init), seed)
            #expect(dictionary(read["b"]) { $0["one"] ?? "" } == levels, seed)
            check(read["c"], observed, seed)
        }
    }

    private func check(
        _ family: ExpositionParser.Family?, _ observed: [String: [Int]], _ seed: Comment
    ) {
        for (label, sizes) in observed {
            let samples = family?.samples.filter { $0.labels["one"] == label } ?? []
            for sample in samples where sample.name == "c_bucket" {
                let bound = Double(sample.labels["le"] ?? "") ?? -1
                #expect(
                    sample.value == Double(sizes.count { Double($0) <= bound }), seed)
            }
            #expect(samples.count == 6, seed)
            #expect(samples.first { $0.name == "c_sum" }?.value == Double(sizes.reduce(0, +)), seed)
            #expect(samples.first { $0.name == "c_count" }?.value == Double(sizes.count), seed)
        }
    }

    private func dictionary<Key: Hashable>(
        _ family: ExpositionParser.Family?, _ key: ([String: String]) -> Key
    ) -> [Key: Double] {
        Dictionary(
            (family?.samples ?? []).map { (key($0.labels), $0.value) },
            uniquingKeysWith: { _, last in last })
    }

    /// Text with all that could hurt, short enough not to be cut.
    private func text(_ random: inout RepeatableRandom) -> String {
        let parts = [
            "a", "\\", "\"", "\n", "\r\n", "{", "}", ",", "=", " ", "é", "😀", "# HELP", "\u{0}",
            "\u{2028}", "\\n",
        ]
        let count = Int.random(in: 0...6, using: &random)
        return (0..<count).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
    }
}
