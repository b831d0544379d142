package import Foundation

/// What Celery's result backend keeps for one task: `celery-task-meta-<id>`.
package struct ResultRecord: Sendable {
    package enum State: String, Sendable {
        case success = "SUCCESS"
        case failure = "FAILURE"
        case retry = "RETRY"
        case revoked = "REVOKED"
    }

    package let state: State
    package let id: JobID
    package let result: JSONValue
    package let traceback: String?
    package let groupID: String?
    package let parentID: String?
    package let dateDone: Date?

    package static func success(_ result: JSONValue, of message: JobMessage, at now: Date)
        -> ResultRecord
    {
        ResultRecord(
            state: .success, id: message.id, result: result, traceback: nil,
            groupID: message.groupID, parentID: message.parentID, dateDone: now)
    }

    /// The JSON that Python's `AsyncResult` reads.
    package func encoded() -> [UInt8] { preconditionFailure("wire") }
}
