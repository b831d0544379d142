import ArgumentParser
import Foundation
import HTTP
import Jobs
import Logging

/// Signs and sends webhooks as `DeliverWebhook` does, so many at once, over kept connections.
struct WebhookBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "webhooks", abstract: "Delivers signed webhooks to a sink.")

    @Option(help: "Where to.") var url: String
    @Option(help: "How many count; a tenth as many are sent before.") var deliveries = 50_000
    @Option(help: "How many at once.") var inFlight = 64
    @Option(help: "The endpoint's secret, whsec_….") var secret: String
    @Option(help: "The file with the body.", completion: .file()) var body: String

    func run() async throws {
        let body = [UInt8](try Data(contentsOf: URL(filePath: body)))
        var limits = HTTPLimits()
        limits.maximumConnectionsPerHost = max(limits.maximumConnectionsPerHost, inFlight)
        var logger = Logger(label: "benchmark")
        logger.logLevel = .warning
        let sender = HTTPSender(
            policy: AddressPolicy(allowing: [try CIDR("127.0.0.0/8")]), limits: limits,
            logger: logger)
        let warmUp = deliveries / 10
        try await deliver(warmUp, body: body, through: sender)
        let stopwatch = ProcessTiming()
        try await deliver(deliveries, body: body, through: sender)
        let (seconds, cpuSeconds) = stopwatch.read()
        await sender.shutdown()
        try ProcessTiming.print(
            Outcome(
                deliveries: deliveries, warmUp: warmUp, seconds: seconds, cpuSeconds: cpuSeconds))
    }

    private struct Outcome: Encodable {
        let deliveries: Int
        let warmUp: Int
        let seconds: Double
        let cpuSeconds: Double
    }

    /// Each of `inFlight` tasks sends its share, one after the other.
    private func deliver(
        _ count: Int, body: [UInt8], through sender: HTTPSender
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for first in 0..<min(inFlight, count) {
                group.addTask {
                    for number in stride(from: first, to: count, by: inFlight) {
                        let response = try await sender.send(request(number, body: body))
                        guard response.status == 200 else {
                            throw ValidationError("the sink answered \(response.status)")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// The request of `DeliverWebhook`: each endpoint has a secret of its own, so it is read anew.
    private func request(_ number: Int, body: [UInt8]) throws -> HTTPRequest {
        let signature = WebhookSignature.headers(
            id: "msg_\(number)", at: Date(), body: body, secrets: [try WebhookSecret(secret)])
        return HTTPRequest(
            method: "POST", url: url,
            headers: [("Content-Type", "application/json"), ("User-Agent", "backhaul-webhooks")]
                + signature,
            body: body)
    }
}
