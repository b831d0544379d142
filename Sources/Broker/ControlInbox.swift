package import Foundation
package import JobModel

/// Where a worker hears the commands that are broadcast to all.
package protocol ControlInbox: Sendable {
    /// The bytes of the next one, waiting for it; nil when closed or cancelled.
    func next() async -> [UInt8]?

    /// How many were dropped because nobody took them.
    var dropped: Int { get }

    /// Stops listening.
    func close() async
}

/// What was revoked, as far as it was asked for.
package struct Revocations: Sendable, Equatable {
    /// Jobs that are to end, also when they run.
    package var ended: [JobID] = []
    /// Jobs that are not to begin.
    package var revoked: [JobID] = []
    /// Stamps of jobs that are not to begin.
    package var stamps: [RevokedStamp] = []
    /// When to ask from next time, by the server's clock; the same wish may be told twice.
    package var next = Date.distantPast

    package init() {}
}

/// A stamp by which jobs are revoked: its name and a value, as text.
package struct RevokedStamp: Hashable, Sendable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }

    /// The form kept in Redis: `["name","value"]`.
    var record: [UInt8] { JSONValue.array([.string(name), .string(value)]).encoded() }

    init?(record: [UInt8]) {
        guard let parts = (try? JSONValue(parsing: record))?.arrayValue, parts.count == 2,
            let name = parts[0].stringValue, let value = parts[1].stringValue
        else { return nil }
        self.init(name: name, value: value)
    }
}

/// A message that waits for its time.
package struct DelayedMessage: Sendable {
    package let raw: [UInt8]
    /// The queue it will be put on.
    package let queue: String
    package let dueAt: Date
}
