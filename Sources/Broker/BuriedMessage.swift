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
    /// The message exactly as it was found, or as an operator edited it.
    package private(set) var original: Data
    /// The message exactly as it was found, when it was edited since.
    package private(set) var beforeEdit: Data?

    private enum CodingKeys: String, CodingKey {
        case entry
        case id
        case name
        case queue
        case step
        case buriedAt
        case code
        case type
        case message
        case attempts
        case history
        case original
        case beforeEdit = "before_edit"
    }

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

    /// The same entry with another message; what was found is kept beside it, once.
    package func edited(_ message: [UInt8]) -> BuriedMessage {
        var edited = self
        edited.beforeEdit = beforeEdit ?? original
        edited.original = Data(message)
        return edited
    }

    /// Failures of the same kind have the same fingerprint.
    package var fingerprint: FailureFingerprint {
        FailureFingerprint(name: name, code: code, type: type, message: message)
    }

    /// The message as a worker would read it.
    ///
    /// - Throws: `envelope.*` or `header.*` when no worker can.
    package func decoded() throws(MessageError) -> JobMessage {
        try JobMessage(decoding: [UInt8](original), limits: WireLimits())
    }
}

extension BuriedMessage {
    /// The message to send again: no retries counted, no eta, no deaths; as it was found when it
    /// cannot be read, for a worker that can.
    func fresh(keepsExpiry: Bool = true, at now: Date) -> [UInt8] {
        (try? decoded().afresh(keepsExpiry: keepsExpiry, at: now)) ?? [UInt8](original)
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
