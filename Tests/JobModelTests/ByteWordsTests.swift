import TestSupport
import Testing

@testable import JobModel

@Suite("Eight bytes at a time")
struct ByteWordsTests {
    @Test("the end of plain text is where a look at each byte finds it")
    func endOfPlainText() {
        var random = RepeatableRandom()
        let marks: [UInt8] = [
            0x22, 0x5c, 0x00, 0x1f, 0x80, 0xff, 0x7f, 0x20, 0x21, 0x23, 0x5b, 0x5d,
        ]
        for _ in 0..<20_000 {
            var text = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0x20...0x7e, using: &random)
            }
            for place in text.indices where Int.random(in: 0..<12, using: &random) == 0 {
                text[place] = marks.randomElement(using: &random) ?? 0
            }
            let start = Int.random(in: 0...text.count, using: &random)
            let expected =
                text[start...].firstIndex { $0 < 0x20 || $0 >= 0x80 || $0 == 0x22 || $0 == 0x5c }
                ?? text.count
            #expect(text.span.endOfPlainText(from: start) == expected, "seed \(random.seed)")
        }
    }

    @Test("text is found where it stands and nowhere else")
    func has() {
        var random = RepeatableRandom()
        for _ in 0..<5_000 {
            let text = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0x61...0x62, using: &random)
            }
            let part = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                UInt8.random(in: 0x61...0x62, using: &random)
            }
            for start in -1...text.count + 1 {
                let expected =
                    start >= 0 && start <= text.count && text[start...].starts(with: part)
                #expect(text.span.has(part.span, at: start) == expected, "seed \(random.seed)")
            }
        }
    }

    @Test("a word is its eight bytes, the first the lowest")
    func word() {
        let bytes: [UInt8] = [9, 1, 2, 3, 4, 5, 6, 7, 8]
        #expect(bytes.span.word(at: 1) == 0x0807_0605_0403_0201)
    }

    @Test("names are equal when their texts are, up to sixteen bytes")
    func names() {
        let names = [
            "", "a", "b", "id", "retries", "expires", "parent_id", "ignore_result",
            "sixteen_bytes_ok",
        ]
        for left in names {
            for right in names {
                #expect((PackedName(left) == PackedName(right)) == (left == right))
            }
        }
        #expect(!PackedName("sixteen_bytes_ok").isCut)
        #expect(PackedName("seventeen_bytes_x").isCut)
        #expect(PackedName(low: 0x6464_6464_6464_6964, high: 7, count: 1) == PackedName("d"))
    }
}
