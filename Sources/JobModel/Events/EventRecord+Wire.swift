import Foundation

extension EventRecord {
    /// The type on the wire, such as `task-received`.
    package var type: String {
        switch happening {
        case .workerOnline: "worker-online"
        case .workerHeartbeat: "worker-heartbeat"
        case .workerOffline: "worker-offline"
        case .electionJoined: "worker-elect"
        case .electionAcknowledged: "worker-elect-ack"
        case .taskReceived: "task-received"
        case .taskStarted: "task-started"
        case .taskSucceeded: "task-succeeded"
        case .taskFailed: "task-failed"
        case .taskRetried: "task-retried"
        case .taskRevoked: "task-revoked"
        case .taskRejected: "task-rejected"
        }
    }

    /// Appends the event as a JSON object.
    ///
    /// Celery's `utcoffset` is left out. Receivers add the difference to their own to a time that is
    /// the same everywhere already, which shows wrong times wherever the zones differ; of an event
    /// without it they take the time as it is.
    func append(to text: inout [UInt8], from node: EventNode) {
        text.append(contentsOf: "{\"type\": \"\(type)\", \"hostname\": ".utf8)
        text.append(jsonString: node.name)
        text.append(
            contentsOf: """
                , "pid": \(node.processID), "clock": \(clock), \
                "timestamp": \(JSONNumber(date.timeIntervalSince1970).text)
                """.utf8)
        switch happening {
        case .workerOnline(let beat), .workerHeartbeat(let beat), .workerOffline(let beat):
            text.append(beat)
        case .electionJoined(let call):
            text.append(event: "id", .string(call.id))
            text.append(event: "topic", call.topic)
            text.append(event: "action", call.action)
            text.append(event: "cver", 1)
            text.append(event: "sw_ident", .string(WorkerBeat.software))
        case .electionAcknowledged(let id): text.append(event: "id", .string(id))
        case .taskReceived(let message): text.append(received: message)
        case .taskStarted(let id): text.append(id)
        case .taskSucceeded(let id, let result, let runtime):
            text.append(id)
            text.append(event: "result", .string(result))
            text.append(event: "runtime", .number(JSONNumber(runtime.inSeconds)))
        case .taskFailed(let id, let failure), .taskRetried(let id, let failure):
            text.append(id)
            text.append(event: "exception", .string(failure.exception))
            if let traceback = failure.traceback {
                text.append(event: "traceback", .string(traceback))
            }
        case .taskRevoked(let id, let signal, let isExpired):
            text.append(id)
            text.append(event: "terminated", .bool(signal != nil))
            text.append(event: "signum", signal.map { .number(JSONNumber($0)) } ?? .null)
            text.append(event: "expired", .bool(isExpired))
        case .taskRejected(let id, let isRequeued):
            text.append(id)
            text.append(event: "requeue", .bool(isRequeued))
        }
        text.append(UInt8(ascii: "}"))
    }
}

extension [UInt8] {
    fileprivate mutating func append(event key: String, _ value: JSONValue) {
        append(contentsOf: ", \"\(key)\": ".utf8)
        append(json: value, .python)
    }

    fileprivate mutating func append(_ id: JobID) { append(event: "uuid", .string(id.text)) }

    fileprivate mutating func append(_ beat: WorkerBeat) {
        append(event: "freq", .number(JSONNumber(WorkerBeat.interval.inSeconds)))
        append(event: "active", .number(JSONNumber(beat.active)))
        append(event: "processed", .number(JSONNumber(beat.processed)))
        append(event: "loadavg", .array(beat.load.map { .number(JSONNumber($0)) }))
        append(event: "sw_ident", .string(WorkerBeat.software))
        append(event: "sw_ver", .string(beat.version))
        append(event: "sw_sys", "Linux")
    }

    fileprivate mutating func append(received message: JobMessage) {
        let request = JobRequest(message)
        append(message.id)
        append(event: "name", .string(request.shadow ?? message.name.text))
        append(event: "args", request.text("argsrepr"))
        append(event: "kwargs", request.text("kwargsrepr"))
        append(event: "root_id", message.rootID.map(JSONValue.string) ?? .null)
        append(event: "parent_id", message.parentID.map(JSONValue.string) ?? .null)
        append(event: "retries", .number(JSONNumber(message.retries)))
        append(event: "eta", request.text("eta"))
        append(event: "expires", request.text("expires"))
    }
}

extension JobRequest {
    /// A header as monitors are given it: text, whoever wrote it and however long it is.
    fileprivate func text(_ header: String) -> JSONValue {
        guard let value = headers[header]?.stringValue else { return .null }
        guard value.utf8.count > PythonRepr.maximumCharacters else { return .string(value) }
        return .string(
            String(
                String.UnicodeScalarView(
                    value.unicodeScalars.prefix(PythonRepr.maximumCharacters))))
    }
}
