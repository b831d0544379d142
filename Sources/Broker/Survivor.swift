import Foundation
import JobModel

/// The end of a worker, and what is known of what it was doing.
struct Death: Sendable {
    let worker: WorkerID
    /// Whether it speaks against the messages: not when the worker left in order.
    let isCounted: Bool
    /// The tags of messages under suspicion that it had begun to run.
    let suspects: Set<String>

    /// Whether the death counts for a message that was held under `tag` and had `before` deaths.
    ///
    /// The first death counts for all that was held, as nobody knows who did it. From then on only
    /// for a message that was running, so that neighbours of a killer are not condemned with it.
    func counts(for tag: String, before: Int) -> Bool {
        isCounted && (before == 0 || suspects.contains(tag))
    }
}

/// A message whose holder is gone: what goes back on its list, marked as delivered before, or what
/// goes to quarantine.
struct Survivor {
    /// The name of the reason for which a message is taken out that took too many workers with it.
    static let poisonCode = "poison.deaths"

    let bytes: [UInt8]
    let step: Int
    /// Set when it is not to go back.
    private(set) var condemned: Condemnation?

    /// Judges a message; without a death, or with one that does not count, it always goes back.
    init(
        _ raw: [UInt8], tag: String, queue: QueueName, after death: Death? = nil,
        options: BrokerOptions, at now: Date = .distantPast
    ) {
        guard let message = try? JobMessage(decoding: raw, limits: WireLimits()) else {
            // Its next holder puts it in quarantine; it has nowhere to count deaths.
            (bytes, step) = (raw, 0)
            return
        }
        step = message.priority.step
        let counted = death.flatMap {
            $0.counts(for: tag, before: message.deaths.count) ? $0.worker.text : nil
        }
        bytes = (try? message.redelivered(countingDeathOf: counted)) ?? raw
        let limit = options.weakened.brake ? Int.max : options.maximumDeaths
        guard let counted, message.deaths.count + 1 >= limit else { return }
        let workers = (message.deaths + [counted]).joined(separator: ", ")
        let report = FailureReport(
            code: Self.poisonCode, type: "PoisonMessage",
            message: "\(message.deaths.count + 1) workers died holding it: \(workers)",
            pythonType: .workerLost)
        let delivery = Delivery(
            raw: bytes, lease: Lease(tag: tag), queue: queue, step: step, reservedAt: now)
        condemned = Condemnation(report, of: delivery, ran: true, options: options, at: now)
    }
}
