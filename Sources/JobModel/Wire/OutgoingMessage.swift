package import Foundation

/// A message to be sent: everything a producer decides.
package struct OutgoingMessage: Sendable {
    package var id: JobID
    package var name: JobName
    package var body: MessageBody
    package var queue: QueueName
    package var priority = Priority.highest
    package var eta: Date?
    package var expires: Date?
    package var hardTimeLimit: Duration?
    package var softTimeLimit: Duration?
    package var ignoreResult = false
    package var rootID: String?
    package var parentID: String?
    /// Extra headers, merged flat as Celery does.
    package var headers = JSONObject()

    package init(id: JobID, name: JobName, body: MessageBody, queue: QueueName) {
        self.id = id
        self.name = name
        self.body = body
        self.queue = queue
    }

    /// The envelope, byte for byte what a Python Celery worker accepts.
    package func encoded(origin: String, deliveryTag: String) -> [UInt8] {
        preconditionFailure("wire")
    }
}
