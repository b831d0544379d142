/// Messages that differ in nothing but their ids and keyword arguments: what is sent in bulk.
///
/// What they share is held, and written, once. What differs is held as it will stand in the envelope.
package struct MessageSeries: Sendable {
    /// Where the parts of one message end in `text`; it begins where the one before ends.
    struct Ends {
        let id: Int
        let body: Int
        let repr: Int
    }

    /// What they share; its id and its body say nothing.
    ///
    /// It has neither positional arguments nor `eta` nor `rootID`.
    package let pattern: OutgoingMessage
    package private(set) var ids: [JobID] = []
    /// Of each message the id, quoted, the body in base64, and how its arguments are shown, quoted.
    private(set) var text: [UInt8] = []
    private(set) var ends: [Ends] = []

    /// So many bytes of text are expected of each message; there can be more.
    private static let usualText = 384

    /// A series like `pattern`, of about `count` messages.
    package init(like pattern: OutgoingMessage, expecting count: Int) {
        precondition(
            pattern.body.args.isEmpty && pattern.eta == nil && pattern.rootID == nil,
            "such messages are no series")
        self.pattern = pattern
        ids.reserveCapacity(count)
        ends.reserveCapacity(count)
        text.reserveCapacity(count * Self.usualText)
    }

    package var count: Int { ids.count }

    /// Adds a message with the arguments that were written last.
    package mutating func append(_ id: JobID, _ keywords: KeywordsWriter) {
        ids.append(id)
        text.append(jsonString: id.text)
        let idEnd = text.count
        Base64.append(keywords.written.body.span, to: &text)
        let bodyEnd = text.count
        keywords.written.repr.appendQuoted(to: &text)
        ends.append(Ends(id: idEnd, body: bodyEnd, repr: text.count))
    }
}

/// Writes the envelopes of a series, each as ``OutgoingMessage/encoded(origin:deliveryTag:)`` would.
package struct SeriesEncoder {
    private let series: MessageSeries
    /// What all have in common, from the end of the body to the delivery tag.
    private var task: [UInt8] = []
    private var times: [UInt8] = []
    private var args: [UInt8] = []
    private var origin: [UInt8] = []
    private var route: [UInt8] = []
    private let commonBytes: Int

    /// An encoder of messages that `origin` sends.
    package init(_ series: MessageSeries, origin: String) {
        self.series = series
        series.pattern.appendTask(to: &task)
        series.pattern.appendTimes(to: &times)
        series.pattern.appendArgs(to: &args)
        series.pattern.appendOrigin(origin, to: &self.origin)
        series.pattern.appendRoute(to: &route)
        commonBytes =
            OutgoingMessage.opening.utf8.count + task.count + times.count + args.count
            + self.origin.count + route.count + FreshUUIDs.length + 2
            + OutgoingMessage.ending.utf8.count
    }

    /// The length of one envelope.
    package func byteCount(at place: Int) -> Int {
        let ends = series.ends[place]
        let start = start(of: place)
        // The id stands in it three times.
        return commonBytes + ends.repr - start + 2 * (ends.id - start)
    }

    private func start(of place: Int) -> Int { place == 0 ? 0 : series.ends[place - 1].repr }

    /// Appends one envelope with a fresh delivery tag.
    package func append(at place: Int, tags: inout FreshUUIDs, to text: inout [UInt8]) {
        let ends = series.ends[place]
        let id = start(of: place)..<ends.id
        text.append(literal: OutgoingMessage.opening)
        text.append(contentsOf: series.text[ends.id..<ends.body])
        text.append(contentsOf: task)
        text.append(contentsOf: series.text[id])
        text.append(contentsOf: times)
        text.append(contentsOf: series.text[id])
        text.append(contentsOf: args)
        text.append(contentsOf: series.text[ends.body..<ends.repr])
        text.append(contentsOf: origin)
        text.append(contentsOf: series.text[id])
        text.append(contentsOf: route)
        text.append(UInt8(ascii: "\""))
        tags.append(to: &text)
        text.append(UInt8(ascii: "\""))
        text.append(literal: OutgoingMessage.ending)
    }
}
