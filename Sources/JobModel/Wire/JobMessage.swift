package import Foundation

/// What a worker must know of a Celery message before it runs it, and the bytes it came as.
///
/// Source: Celery's message protocol 2.
package struct JobMessage: Sendable {
    package let raw: [UInt8]
    package let id: JobID
    package let name: JobName
    /// `headers.retries`: 0 on the first run.
    package let retries: Int
    package let eta: Date?
    package let expires: Date?
    /// `headers.timelimit` is [hard, soft], seconds.
    package let hardTimeLimit: Duration?
    package let softTimeLimit: Duration?
    package let priority: Priority
    /// null on the wire means "as the job's policy says".
    package let ignoreResult: Bool?
    package let rootID: String?
    package let parentID: String?
    package let groupID: String?

    /// Reads an envelope.
    package init(decoding raw: [UInt8], limits: WireLimits) throws(MessageError) {
        preconditionFailure("wire")
    }

    /// Decodes the body: base64, decompression, JSON, shape.
    package func body(limits: WireLimits) throws(MessageError) -> MessageBody {
        preconditionFailure("wire")
    }

    /// The envelope for the next attempt: `retries`, `eta`, and one more entry in the error
    /// history; every other header and property unchanged. Parent becomes the job itself, as Celery.
    package func retried(retries: Int, eta: Date?, adding failure: FailureReport?, at now: Date)
        throws(MessageError) -> [UInt8]
    {
        preconditionFailure("wire")
    }

    /// The same envelope, marked as delivered before (headers and delivery_info).
    package func redelivered() throws(MessageError) -> [UInt8] { preconditionFailure("wire") }

    /// Earlier failures carried by the message, oldest first.
    package func errorHistory() -> [JSONValue] { [] }
}

/// Positional and keyword arguments, and the canvas parts.
public struct MessageBody: Sendable {
    public let args: [JSONValue]
    public let kwargs: JSONObject
    public let embed: JSONObject

    /// Puts a body together.
    public init(args: [JSONValue], kwargs: JSONObject, embed: JSONObject = JSONObject()) {
        self.args = args
        self.kwargs = kwargs
        self.embed = embed
    }
}

/// The named limits of what is accepted from a queue.
package struct WireLimits: Sendable, Equatable {
    /// The largest envelope that is parsed, bytes.
    package var envelopeBytes = 16 * 1024 * 1024
    /// The largest body after decompression, bytes.
    package var bodyBytes = 16 * 1024 * 1024
    /// The deepest nesting of arrays and objects.
    package var depth = 128

    package init() {}
}

/// Why a message cannot be run; the message itself is kept in quarantine.
package struct MessageError: Error, Sendable, CustomStringConvertible {
    /// `envelope.json`, `envelope.too_large`, `header.id`, `body.base64`, `body.content_type`, …
    package let code: String
    /// One sentence that names the field.
    package let message: String
    /// The id, when it could be read all the same.
    package let id: String?
    /// The task name, when it could be read all the same.
    package let name: String?

    package init(code: String, message: String, id: String? = nil, name: String? = nil) {
        self.code = code
        self.message = message
        self.id = id
        self.name = name
    }

    package var description: String { message }
}
