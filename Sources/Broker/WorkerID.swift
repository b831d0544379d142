/// The identity of one worker process, part of every lease tag it makes.
package struct WorkerID: Hashable, Sendable, CustomStringConvertible {
    /// Letters, digits, `.` and `_` only, so that it can stand in keys, tags and patterns.
    package let text: String

    /// `host.pid.random`: never the same twice, and readable for an operator.
    package init(host: String, processID: Int32, random: UInt32) {
        let safe = host.unicodeScalars.map { scalar in
            let keeps = scalar.isASCII && (scalar.properties.isAlphabetic || scalar.isDigit)
            return keeps ? Character(scalar) : "_"
        }
        text = "\(String(safe.prefix(64))).\(processID).\(String(random, radix: 36))"
    }

    /// Reads an identity back from a key or a tag.
    package init(text: String) { self.text = text }

    /// The owner of a tag `<worker>-<sequence>-<index>`; nil for a tag that is not ours.
    package init?(owning tag: String) {
        guard let tag = LeaseTag(tag) else { return nil }
        self = tag.worker
    }

    package var description: String { text }
}

/// A lease tag taken apart: `<worker>-<sequence>-<index>`, ordered as it was reserved.
struct LeaseTag: Comparable {
    let text: String
    let worker: WorkerID
    private let sequence: Int
    private let index: Int

    /// Reads a tag; nil for one that is not ours.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].split(separator: ".").count == 3,
            let sequence = Int(parts[1]), let index = Int(parts[2])
        else { return nil }
        self.text = text
        worker = WorkerID(text: String(parts[0]))
        self.sequence = sequence
        self.index = index
    }

    static func < (left: LeaseTag, right: LeaseTag) -> Bool {
        (left.sequence, left.index) < (right.sequence, right.index)
    }
}

extension Unicode.Scalar {
    fileprivate var isDigit: Bool { ("0"..."9").contains(self) }
}
