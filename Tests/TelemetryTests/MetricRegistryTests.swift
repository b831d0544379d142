import Foundation
import TestSupport
import Testing

@testable import Telemetry

@Suite("Metrics")
struct MetricRegistryTests {
    @Test("beyond the maximum, new series are counted as one called other")
    func overflow() {
        let registry = MetricRegistry()
        let family = registry.counter("a_total", "A.", labels: ["x", "y"], maximumSeries: 2)
        family.series("1", "1").add()
        family.series("2", "2").add()
        family.series("3", "3").add()
        family.series("4", "4").add(5)
        family.series("1", "1").add()
        #expect(family.series("5", "5") === family.series("other", "other"))
        let samples = registry.snapshot().families[0].samples
        #expect(samples.map(\.value) == [.number(2), .number(1), .number(6)])
        #expect(samples[2].labels.map(\.value) == ["other", "other"])
    }

    @Test("a label value is cut, whatever a producer sends")
    func longLabels() {
        let family = MetricRegistry().counter("a_total", "A.", labels: ["x"])
        let long = String(repeating: "é", count: 10_000)
        family.series(long).add()
        let value = family.snapshot().samples[0].labels[0].value
        #expect(value == String(repeating: "é", count: MetricRegistry.maximumLabelBytes / 2))
        #expect(family.series(long) === family.series(long + "x"))
    }

    @Test("counting from many tasks loses nothing")
    func concurrency() async {
        let registry = MetricRegistry()
        let counter = registry.counter("a_total", "A.", labels: ["x"])
        let gauge = registry.gauge("b", "B.").series()
        let histogram = registry.histogram("c", "C.", bounds: .counts([10])).series()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for round in 0..<1000 {
                        counter.series("\(task % 2)").add()
                        gauge.change(by: round.isMultiple(of: 2) ? 3 : -1)
                        histogram.observe(task)
                    }
                }
            }
        }
        #expect(counter.series("0").total == 4000)
        #expect(counter.series("1").total == 4000)
        #expect(gauge.level == 8000)
        #expect(
            histogram.reading
                == .histogram(
                    MetricSnapshot.Buckets(bounds: [10], counts: [8000, 0], sum: 28_000)))
    }

    @Test("what cannot be is counted as nothing, and never traps")
    func oddNumbers() {
        let registry = MetricRegistry()
        let counter = registry.counter("a_total", "A.").series()
        counter.add(-5)
        counter.add(0)
        #expect(counter.total == 0)
        let histogram = registry.histogram("b_seconds", "B.", bounds: .durations([.seconds(1)]))
            .series()
        histogram.observe(.seconds(-3))
        histogram.observe(.seconds(Int64.max))
        guard case .histogram(let buckets)? = histogram.reading else {
            Issue.record("no buckets")
            return
        }
        #expect(buckets.counts == [1, 1])
        #expect(buckets.sum.isFinite)
    }

    @Test(
        "a name that breaks the rules traps",
        arguments: ["jobs", "Jobs_total", "1_total", "a-b_total", "x_bucket_total ", "_total"])
    func names(name: String) async {
        await #expect(processExitsWith: .failure) { [name] in
            _ = MetricRegistry().counter(name, "A.")
        }
    }

    @Test("two metrics of one name trap, and a gauge may not end like a counter")
    func duplicates() async {
        await #expect(processExitsWith: .failure) {
            let registry = MetricRegistry()
            _ = registry.gauge("a", "A.")
            _ = registry.gauge("a", "A.")
        }
        await #expect(processExitsWith: .failure) { _ = MetricRegistry().gauge("a_total", "A.") }
        await #expect(processExitsWith: .failure) {
            _ = MetricRegistry().gauge("a", "A.", labels: ["process"])
        }
    }

    @Test("snapshots of several processes travel as JSON and become one page")
    func merging() throws {
        let pages = try (1...3).map { number -> MetricSnapshot in
            let registry = MetricRegistry()
            registry.counter("a_total", "A.", labels: ["x"]).series("1").add(number)
            let sizes = registry.histogram("b", "B.", bounds: .counts([1, 2])).series()
            sizes.observe(number)
            let sent = try JSONEncoder().encode(registry.snapshot())
            let read = try JSONDecoder().decode(MetricSnapshot.self, from: sent)
            #expect(read == registry.snapshot())
            return read.labelled("process", "\(number)")
        }
        let read = try ExpositionParser.read(PrometheusText.render(.merged(pages)))
        #expect(read.count == 2)
        #expect(read["a_total"]?.samples.map(\.value) == [1, 2, 3])
        #expect(
            read["a_total"]?.samples.map(\.labels) == [
                ["process": "1", "x": "1"], ["process": "2", "x": "1"],
                ["process": "3", "x": "1"],
            ])
        #expect(read["b"]?.samples.count == 15)
        #expect(pages[0].labelled("process", "9") == pages[0])
    }

    @Test("one observation costs well under a microsecond")
    func cost() {
        let counter = MetricRegistry().counter("a_total", "A.").series()
        let count = 1_000_000
        let time = ContinuousClock().measure { for _ in 0..<count { counter.add() } }
        print("one count: \(time / count)")
        // Generous: debug build, loaded machine. A hundred thousand a second must not be felt.
        #expect(time < .seconds(5))
    }
}
