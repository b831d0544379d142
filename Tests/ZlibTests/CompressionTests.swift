import TestSupport
import Testing

@testable import Zlib

@Suite("Compression")
struct CompressionTests {
    /// `b"hello hello hello"` as Python's `gzip.compress(…, mtime=0)` writes it.
    private let gzip: [UInt8] = [
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9,
        0x57, 0xc8, 0x40, 0x90, 0x00, 0x80, 0x88, 0xf9, 0xe5, 0x11, 0x00, 0x00, 0x00,
    ]
    /// The same as `zlib.compress` writes it.
    private let zlib: [UInt8] = [
        0x78, 0x9c, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0xc8, 0x40, 0x90, 0x00, 0x3a, 0x2e, 0x06,
        0x7d,
    ]
    private let hello = [UInt8]("hello hello hello".utf8)

    @Test("what is deflated inflates to itself, in any size")
    func roundTrip() throws {
        let piece = CompressionStream.pieceBytes
        for count in [0, 1, 100, piece - 1, piece, piece + 1, 10 * piece + 7] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
            let packed = try Compression.deflated(bytes)
            #expect(try Compression.inflated(packed, limit: count) == bytes)
        }
    }

    @Test("zlib and gzip framing are both understood")
    func framing() throws {
        #expect(try Compression.inflated(gzip, limit: 100) == hello)
        #expect(try Compression.inflated(zlib, limit: 100) == hello)
    }

    @Test("deflating makes a zlib stream, which Celery calls gzip")
    func deflatedFraming() throws {
        #expect(try Compression.deflated(hello).starts(with: [0x78, 0x9c]))
    }

    @Test("a decompression bomb is stopped at the limit")
    func bomb() throws {
        let bomb = try Compression.deflated([UInt8](repeating: 0, count: 50_000_000))
        #expect(bomb.count < 100_000)
        #expect(code { try Compression.inflated(bomb, limit: 1_000_000) } == .tooLarge)
        #expect(code { try Compression.inflated(zlib, limit: hello.count - 1) } == .tooLarge)
    }

    @Test("damage has a name")
    func damage() {
        #expect(code { try Compression.inflated([], limit: 100) } == .truncated)
        #expect(code { try Compression.inflated(Array(zlib.dropLast()), limit: 100) } == .truncated)
        #expect(code { try Compression.inflated(zlib + [0], limit: 100) } == .trailing)
        #expect(code { try Compression.inflated([1, 2, 3, 4], limit: 100) } == .corrupt)
        var damaged = zlib
        damaged[damaged.count - 1] ^= 1
        #expect(code { try Compression.inflated(damaged, limit: 100) } == .corrupt)
    }

    @Test("no mutation of a stream traps or exceeds the limit")
    func mutations() {
        var random = RepeatableRandom()
        for _ in 0..<5000 {
            var bytes = Bool.random(using: &random) ? gzip : zlib
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
            if let output = try? Compression.inflated(bytes, limit: 1000) {
                #expect(output.count <= 1000, "seed \(random.seed)")
            }
        }
    }

    private func code(_ body: () throws -> [UInt8]) -> ZlibError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? ZlibError)?.code
        }
    }
}
