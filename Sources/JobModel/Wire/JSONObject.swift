/// A JSON object that remembers the order of its keys.
///
/// Keys are told apart by their code points. Small objects are searched in order; larger ones keep
/// an index, so that a hostile object with a million keys costs no more than its bytes.
public struct JSONObject: Sendable {
    /// Objects with more members than this keep an index.
    static let unindexedMembers = 12

    private var members: [Member] = []
    private var index: [ExactText: Int] = [:]

    /// An empty object.
    public init() {}

    /// Takes keys and values in order; of equal keys the last value wins, at the first one's place.
    public init(_ pairs: some Sequence<(String, JSONValue)>) {
        for (key, value) in pairs { self[key] = value }
    }

    /// How many members it has.
    public var count: Int { members.count }

    /// Whether it has no key.
    public var isEmpty: Bool { members.isEmpty }

    /// The keys in order; each appears once.
    public var keys: [String] { members.map(\.key) }

    /// The value under `key`; setting `nil` removes it, setting a new key appends it.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            guard let place = position(of: key) else {
                if let newValue { append(key, newValue) }
                return
            }
            if let newValue {
                members[place].value = newValue
            } else {
                members.remove(at: place)
                reindex()
            }
        }
    }

    private func position(of key: String) -> Int? {
        if members.count > Self.unindexedMembers { return index[ExactText(text: key)] }
        return members.firstIndex { $0.key.hasSameCodePoints(as: key) }
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        members.append(Member(key: key, value: value))
        if members.count == Self.unindexedMembers + 1 {
            reindex()
        } else if members.count > Self.unindexedMembers {
            index[ExactText(text: key)] = members.count - 1
        }
    }

    private mutating func reindex() {
        index.removeAll(keepingCapacity: true)
        guard members.count > Self.unindexedMembers else { return }
        for (place, member) in members.enumerated() { index[ExactText(text: member.key)] = place }
    }

    /// One key with its value.
    private struct Member: Sendable {
        let key: String
        var value: JSONValue
    }

    /// A string that is equal only to the same code points.
    private struct ExactText: Hashable, Sendable {
        let text: String

        static func == (left: ExactText, right: ExactText) -> Bool {
            left.text.hasSameCodePoints(as: right.text)
        }

        /// Hashes the bytes: hashing the string would let many keys that are canonically
        /// equivalent, and so unequal here, share one hash.
        func hash(into hasher: inout Hasher) {
            var word: UInt64 = 0
            var filled = 0
            for byte in text.utf8 {
                word = word << 8 | UInt64(byte)
                filled += 1
                if filled % 8 == 0 { hasher.combine(word) }
            }
            hasher.combine(word)
            hasher.combine(filled)
        }
    }
}

extension JSONObject: Sequence {
    /// Keys and values in order.
    public func makeIterator() -> AnyIterator<(key: String, value: JSONValue)> {
        var iterator = members.makeIterator()
        return AnyIterator { iterator.next().map { ($0.key, $0.value) } }
    }

    /// The number of members.
    public var underestimatedCount: Int { members.count }

    /// Whether a value is as wanted, without the cost of an iterator.
    func hasMember(where isWanted: (JSONValue) -> Bool) -> Bool {
        members.contains { isWanted($0.value) }
    }

    /// Calls `body` with each member in order, without the cost of an iterator.
    func forEachMember(_ body: (_ key: String, _ value: JSONValue) -> Void) {
        for member in members { body(member.key, member.value) }
    }
}

extension JSONObject: Hashable {
    /// The same keys with the same values, in any order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool {
        guard left.count == right.count else { return false }
        return left.members.allSatisfy { right[$0.key] == $0.value }
    }

    /// Hashes the keys.
    public func hash(into hasher: inout Hasher) {
        // Keys only, and in no order: equal objects may hold them in different orders.
        var mixed = 0
        for member in members { mixed ^= member.key.hashValue }
        hasher.combine(mixed)
        hasher.combine(members.count)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Takes keys and values in order; of equal keys the last value wins.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}
