import Broker
import JobModel

/// Why jobs could not be enqueued; some of a batch may have been.
public struct EnqueueError: Error, Sendable, CustomStringConvertible {
    /// An open set of reasons.
    public struct Code: Hashable, Sendable {
        /// The stable word.
        public let name: String

        /// The queue server cannot be reached; the job may have been enqueued.
        public static let unavailable = Code(name: "unavailable")
        /// The payload cannot be encoded.
        public static let payload = Code(name: "payload")
        /// The server refused.
        public static let refused = Code(name: "refused")
        /// More jobs in one call than ``Enqueuer/maximumBatch``, or a job too large.
        public static let limit = Code(name: "limit")
        /// The workflow makes no sense as it is written.
        public static let canvas = Code(name: "canvas")
        /// The address cannot be used.
        public static let address = Code(name: "address")
    }

    /// The reason, to act on.
    public let code: Code
    /// One sentence for an operator; no payload, no secret.
    public let message: String

    /// The message.
    public var description: String { message }
}

extension EnqueueError {
    init(_ error: BrokerError) {
        let code: Code =
            switch error.code {
            case .unavailable, .timeout: .unavailable
            case .limit: .limit
            default: .refused
            }
        self.init(code: code, message: error.message)
    }

    init(_ error: CanvasError) {
        let code: Code =
            switch error.code {
            case "canvas.payload": .payload
            case "canvas.too_large": .limit
            default: .canvas
            }
        self.init(code: code, message: error.message)
    }
}
