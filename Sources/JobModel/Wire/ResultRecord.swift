package import Foundation

/// What Celery's result backend keeps for one task: `celery-task-meta-<id>`.
package struct ResultRecord: Sendable, Equatable {
    /// How a task stands; the names on the wire.
    package enum State: String, Sendable {
        case success = "SUCCESS"
        case failure = "FAILURE"
        case retry = "RETRY"
        case revoked = "REVOKED"
    }

    /// How the task stands.
    package let state: State
    /// The task id.
    package let id: JobID
    /// What the task returned, or the exception.
    package let result: JSONValue
    /// Text in the form of a Python traceback, for monitors.
    package let traceback: String?
    /// The group, when there is one.
    package let groupID: String?
    /// The parent, when there is one.
    package let parentID: String?
    /// When it came to its end; `nil` for a retry.
    package let dateDone: Date?

    /// The task returned `result`.
    package static func success(
        _ result: JSONValue, of message: JobMessage, at now: Date
    ) -> ResultRecord {
        ResultRecord(
            state: .success, id: message.id, result: result, traceback: nil,
            groupID: message.groupID, parentID: message.parentID, dateDone: now)
    }

    /// The task failed for good.
    package static func failure(
        _ report: FailureReport, of message: JobMessage, at now: Date
    ) -> ResultRecord {
        ResultRecord(
            state: .failure, id: message.id, result: exception(report, name: message.name.text),
            traceback: traceback(report, name: message.name.text),
            groupID: message.groupID, parentID: message.parentID, dateDone: now)
    }

    /// A message that could not be decoded failed; of it only the id is known, and perhaps the name.
    package static func failure(
        _ report: FailureReport, id: JobID, name: JobName?, at now: Date
    ) -> ResultRecord {
        let name = name?.text ?? "unknown"
        return ResultRecord(
            state: .failure, id: id, result: exception(report, name: name),
            traceback: traceback(report, name: name), groupID: nil, parentID: nil, dateDone: now)
    }

    /// The task failed and will be tried again.
    package static func retry(_ report: FailureReport, of message: JobMessage) -> ResultRecord {
        ResultRecord(
            state: .retry, id: message.id, result: exception(report, name: message.name.text),
            traceback: traceback(report, name: message.name.text),
            groupID: message.groupID, parentID: message.parentID, dateDone: nil)
    }

    /// The task will not be run.
    ///
    /// Celery's reasons are `expired`, `revoked` and `terminated`.
    package static func revoked(
        _ reason: String, of message: JobMessage, at now: Date
    ) -> ResultRecord {
        ResultRecord(
            state: .revoked, id: message.id, result: exception(.revoked, [.string(reason)]),
            traceback: nil, groupID: message.groupID, parentID: message.parentID, dateDone: now)
    }

    /// The JSON that Python's `AsyncResult` reads; keys in Python's order.
    package func encoded() -> [UInt8] {
        var record: JSONObject = [
            "status": .string(state.rawValue), "result": result,
            "traceback": traceback.map(JSONValue.string) ?? .null, "children": [],
            "date_done": dateDone.map { .string(WireDate.text($0)) } ?? .null,
        ]
        if let groupID { record["group_id"] = .string(groupID) }
        if let parentID { record["parent_id"] = .string(parentID) }
        record["task_id"] = .string(id.text)
        return JSONValue.object(record).encoded(.python)
    }

    /// Python's `NotRegistered` takes the task's name and makes the sentence itself.
    private static func exception(_ report: FailureReport, name: String) -> JSONValue {
        let isUnknown = report.pythonType == .notRegistered
        return exception(report.pythonType, [.string(isUnknown ? name : report.message)])
    }

    private static func exception(_ type: PythonException, _ arguments: [JSONValue]) -> JSONValue {
        [
            "exc_type": .string(type.name), "exc_message": .array(arguments),
            "exc_module": .string(type.module),
        ]
    }

    /// Shaped so that Python's readers of tracebacks accept it.
    private static func traceback(_ report: FailureReport, name: String) -> String {
        """
        Traceback (most recent call last):
          File "<backhaul>", line 0, in \(name)
        \(report.pythonType.name): \(report.type): \(report.message)

        """
    }
}
