package import Foundation

/// What Celery's result backend keeps for one task: `celery-task-meta-<id>`.
package struct ResultRecord: Sendable, Equatable {
    /// How a task stands.
    package typealias State = JobResult.State

    /// What `result_extended` adds.
    package struct Extension: Sendable, Equatable {
        package var name: JobName
        package var args: [JSONValue]
        package var kwargs: JSONObject
        package var worker: String
        package var retries: Int
        package var queue: QueueName
        /// The names of the stamps.
        package var stampedHeaders: [String] = []
        package var stamps = JSONObject()

        package init(
            name: JobName, args: [JSONValue], kwargs: JSONObject, worker: String, retries: Int,
            queue: QueueName
        ) {
            self.name = name
            self.args = args
            self.kwargs = kwargs
            self.worker = worker
            self.retries = retries
            self.queue = queue
        }
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
    /// When it came to its end; `nil` before.
    package let dateDone: Date?
    /// The results of the tasks that this one sent, as Celery's tuples.
    package var children: [JSONValue] = []
    /// What `result_extended` adds, if that is wanted.
    package var extended: Extension?

    /// A record with every part given.
    package init(
        state: State, id: JobID, result: JSONValue, traceback: String? = nil,
        groupID: String? = nil, parentID: String? = nil, dateDone: Date?,
        children: [JSONValue] = []
    ) {
        self.state = state
        self.id = id
        self.result = result
        self.traceback = traceback
        self.groupID = groupID
        self.parentID = parentID
        self.dateDone = dateDone
        self.children = children
    }

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
            state: .revoked, id: message.id, result: PythonException.revoked.json(reason),
            traceback: nil, groupID: message.groupID, parentID: message.parentID, dateDone: now)
    }

    /// The JSON that Python's `AsyncResult` reads; keys in Python's order.
    package func encoded() -> [UInt8] { extended == nil ? plainText : json.encoded(.python) }

    /// What ``json`` is written as when nothing is added, without making a value of it first: most
    /// jobs whose results are kept end here.
    private var plainText: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(320)
        text.append(contentsOf: #"{"status": "#.utf8)
        text.append(jsonString: state.name)
        text.append(contentsOf: #", "result": "#.utf8)
        text.append(json: result, .python)
        text.append(contentsOf: #", "traceback": "#.utf8)
        text.append(jsonStringOrNull: traceback)
        text.append(contentsOf: #", "children": "#.utf8)
        text.append(json: children, .python)
        text.append(contentsOf: #", "date_done": "#.utf8)
        if let dateDone {
            text.append(UInt8(ascii: "\""))
            WireDate.append(dateDone, to: &text)
            text.append(UInt8(ascii: "\""))
        } else {
            text.append(jsonStringOrNull: nil)
        }
        if let groupID {
            text.append(contentsOf: #", "group_id": "#.utf8)
            text.append(jsonString: groupID)
        }
        if let parentID {
            text.append(contentsOf: #", "parent_id": "#.utf8)
            text.append(jsonString: parentID)
        }
        text.append(contentsOf: #", "task_id": "#.utf8)
        text.append(jsonString: id.text)
        text.append(UInt8(ascii: "}"))
        return text
    }

    /// The record as a JSON value.
    var json: JSONValue {
        var record: JSONObject = [
            "status": .string(state.name), "result": result,
            "traceback": traceback.map(JSONValue.string) ?? .null, "children": .array(children),
            "date_done": dateDone.map { .string(WireDate.text($0)) } ?? .null,
        ]
        if let groupID { record["group_id"] = .string(groupID) }
        if let parentID { record["parent_id"] = .string(parentID) }
        if let extended { extended.add(to: &record) }
        record["task_id"] = .string(id.text)
        return .object(record)
    }

    /// The exception as Python reads it; its `NotRegistered` takes the task's name and makes the
    /// sentence itself.
    package static func exception(_ report: FailureReport, name: String) -> JSONValue {
        let isUnknown = report.pythonType == .notRegistered
        return report.pythonType.json(isUnknown ? name : report.message)
    }

    /// Shaped so that Python's readers of tracebacks accept it.
    package static func traceback(_ report: FailureReport, name: String) -> String {
        """
        Traceback (most recent call last):
          File "<backhaul>", line 0, in \(name)
        \(report.pythonType.name): \(report.type): \(report.message)

        """
    }
}

extension ResultRecord.Extension {
    fileprivate func add(to record: inout JSONObject) {
        record["name"] = .string(name.text)
        record["args"] = .array(args)
        record["kwargs"] = .object(kwargs)
        record["worker"] = .string(worker)
        record["retries"] = .number(JSONNumber(retries))
        record["queue"] = .string(queue.text)
        guard !stampedHeaders.isEmpty else { return }
        record["stamped_headers"] = .array(stampedHeaders.map(JSONValue.string))
        for header in stampedHeaders { record[header] = stamps[header] ?? .null }
    }
}
