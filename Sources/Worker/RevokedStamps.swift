import Broker
import JobModel

/// Values of stamps by which jobs are revoked.
struct RevokedStamps: Sendable {
    private var values: [String: Set<String>] = [:]
    private(set) var count = 0

    init(_ stamps: [RevokedStamp] = []) { add(stamps) }

    mutating func add(_ stamps: [RevokedStamp]) {
        for stamp in stamps where values[stamp.name, default: []].insert(stamp.value).inserted {
            count += 1
        }
    }

    /// Whether one of the job's stamps is among them.
    func match(_ message: JobMessage) -> Bool {
        guard count > 0 else { return false }
        return JobRequest(message).stamps.contains { name, value in
            guard let revoked = values[name] else { return false }
            return value.stampTexts.contains(where: revoked.contains)
        }
    }
}
