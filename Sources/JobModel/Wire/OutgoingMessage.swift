package import Foundation

/// A message to be sent: everything a producer decides.
package struct OutgoingMessage: Sendable, Equatable {
    /// The task id.
    package var id: JobID
    /// The task name.
    package var name: JobName
    /// Arguments and canvas parts.
    package var body: MessageBody
    /// Where it goes.
    package var queue: QueueName
    /// How urgent it is.
    package var priority = Priority.highest
    /// Not to be run before.
    package var eta: Date?
    /// Not to be run after.
    package var expires: Date?
    /// After which a Python worker kills the process that runs it.
    package var hardTimeLimit: Duration?
    /// After which the run is told to stop.
    package var softTimeLimit: Duration?
    /// Whether nobody wants the result; null leaves it to the task.
    package var ignoreResult: Bool? = false
    /// How often it was tried before.
    package var retries = 0
    /// The name shown in its place.
    package var shadow: String?
    /// The group, which is also the chord's id.
    package var groupID: String?
    /// Where it stands in the group.
    package var groupIndex: JSONValue = .null
    /// How many times it took the place of another.
    package var replacements = 0
    /// The names of the stamps; `nil` when there are none.
    package var stampedHeaders: [String]?
    /// The stamps by name.
    package var stamps = JSONObject()
    /// Who sent it first; the sender when `nil`.
    package var origin: String?
    /// Where answers go, for backends that need it.
    package var replyTo = ""
    /// The first task of the workflow; its own id when `nil`.
    package var rootID: String?
    /// The task that sends this one.
    package var parentID: String?
    /// Extra headers, merged flat as Celery does; those of the protocol itself win.
    package var headers = JSONObject()

    package init(id: JobID, name: JobName, body: MessageBody, queue: QueueName) {
        self.id = id
        self.name = name
        self.body = body
        self.queue = queue
    }
}
