import Testing

@testable import HTTP

@Suite("The head of an answer")
struct HTTPHeadersTests {
    private func headers(_ lines: [String]) -> HTTPHeaders {
        var headers = HTTPHeaders()
        for line in lines { headers.take(line: Array(line.utf8)) }
        return headers
    }

    @Test("fields are found without regard to case, the first of a name, without blanks around")
    func fields() {
        let headers = headers([
            "HTTP/1.1 200 OK\r\n", "Date: today\r\n", "X-A:  one, two \t\r\n", "x-a: three\r\n",
            "Empty:\r\n", "no field\r\n", "URL: http://h:1/\n", "\r\n",
        ])
        #expect(headers["DATE"] == "today")
        #expect(headers["x-A"] == "one, two")
        #expect(headers["empty"]?.isEmpty == true)
        #expect(headers["url"] == "http://h:1/")
        #expect(headers["other"] == nil)
        #expect(headers.fields.map(\.name) == ["Date", "X-A", "x-a", "Empty", "URL"])
    }

    @Test("a status line starts anew")
    func interim() {
        let headers = headers([
            "HTTP/1.1 103 Early Hints\r\n", "Link: x\r\n", "\r\n", "HTTP/1.1 200 OK\r\n",
            "A: b\r\n",
        ])
        #expect(headers.fields.map(\.name) == ["A"])
    }

    @Test("given fields are read back")
    func given() {
        let headers = HTTPHeaders([(name: "Retry-After", value: "5"), (name: "A", value: "")])
        #expect(headers["retry-after"] == "5")
        #expect(headers["a"]?.isEmpty == true)
    }
}
