import ArgumentParser

/// The Swift side of the benchmarks: what can only be measured from within a Swift program.
///
/// Each command does its work once, prints one JSON object to standard output, and ends; the Python
/// program in `Benchmarks/` starts it beside its counterpart and compares.
@main
struct BenchmarkDriver: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark-driver", abstract: "Measures one thing and prints it as JSON.",
        subcommands: [
            EnqueueBenchmark.self, PickupWorker.self, WebhookBenchmark.self, EffectBenchmark.self,
        ])
}
