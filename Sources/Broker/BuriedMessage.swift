package import Foundation
package import JobModel

/// A message in the dead letters or in quarantine: the original bytes, and why it is there.
package struct BuriedMessage: Sendable, Equatable, Codable {
    /// Names the entry; the lease tag it had, so it is never used twice.
    package let entry: String
    /// The task id and name, as far as they could be read.
    package let id: String?
    package let name: String?
    package let queue: String
    package let step: Int
    package let buriedAt: Date
    /// The reason.
    package let code: String
    package let type: String
    package let message: String
    /// Runs it had, this one included; 0 when it never ran.
    package let attempts: Int
    /// Earlier failures, oldest first, as JSON text.
    package let history: [String]
    /// The message exactly as it was found.
    package let original: Data

    package init(
        _ delivery: Delivery, id: JobID?, name: JobName?, because report: FailureReport,
        attempts: Int, history: [JSONValue], at now: Date
    ) {
        entry = delivery.lease.tag
        self.id = id?.text
        self.name = name?.text
        queue = delivery.queue.text
        step = delivery.step
        buriedAt = now
        code = report.code
        type = report.type
        message = report.message
        self.attempts = attempts
        self.history = history.map { String(decoding: $0.encoded(), as: UTF8.self) }
        original = Data(delivery.raw)
    }
}

extension BuriedMessage {
    /// The message to send again: no retries counted and no eta; as it was found when it cannot be
    /// read, for a worker that can.
    func fresh(at now: Date) -> [UInt8] {
        let raw = [UInt8](original)
        let message = try? JobMessage(decoding: raw, limits: WireLimits())
        let again = try? message?.retried(retries: 0, eta: nil, adding: nil, at: now)
        return again ?? raw
    }

    /// The record kept in Redis: JSON, the original bytes in base64.
    package func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(self)) } catch {
            preconditionFailure("a buried message holds only plain values")
        }
    }

    /// Reads a record; nil when somebody else wrote it.
    package init?(decoding bytes: [UInt8]) {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        guard let value = try? decoder.decode(Self.self, from: Data(bytes)) else { return nil }
        self = value
    }
}
