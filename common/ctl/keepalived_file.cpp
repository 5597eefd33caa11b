#include "common/ctl/keepalived_file.h"

#include <algorithm>
#include <array>

namespace vipair::ctl {
namespace {

struct Token {
  enum class Kind { word, open, close, line_end } kind;
  std::string text;  // of a word
  int line = 0;
};

class Lexer {
 public:
  Lexer(const SourceText& source, std::vector<Remark>& errors) : source_(source), errors_(errors) {}

  std::vector<Token> tokens() {
    std::string_view rest = source_.text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      ++line_;
      read_line(rest.substr(0, end));
      tokens_.push_back({Token::Kind::line_end, "", line_});
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return std::move(tokens_);
  }

 private:
  void error(std::string text) { errors_.push_back({{source_.path, line_}, std::move(text)}); }

  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

  void read_line(std::string_view line) {
    std::size_t at = 0;
    while (at < line.size() && is_space(line[at])) ++at;
    if (at < line.size() && (line[at] == '@' || line[at] == '$' || line[at] == '~')) {
      error(
          "conditional lines, definitions and sequences (@ $ ~SEQ) are not read: import a file without them, for "
          "this node");
      return;
    }
    while (at < line.size()) {
      const char c = line[at];
      if (is_space(c)) {
        ++at;
      } else if (c == '#' || c == '!') {
        return;
      } else if (c == '{' || c == '}') {
        tokens_.push_back({c == '{' ? Token::Kind::open : Token::Kind::close, "", line_});
        ++at;
      } else {
        at = read_word(line, at);
      }
    }
  }

  // Up to white space, a comment or a brace; quoted parts hold anything but their quote and a backslash.
  std::size_t read_word(std::string_view line, std::size_t at) {
    std::string word;
    char quote = '\0';
    for (; at < line.size(); ++at) {
      const char c = line[at];
      if (static_cast<unsigned char>(c) < 0x20 && c != '\t' && !is_space(c)) {
        error("a control character");
        return line.size();
      }
      if (c == '\\') {
        error("a backslash is not read: versions of keepalived differ in what it means");
        return line.size();
      }
      if (quote != '\0') {
        if (c == quote) {
          quote = '\0';
        } else {
          word += c;
        }
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (is_space(c) || c == '#' || c == '!' || c == '{' || c == '}') {
        break;
      } else {
        word += c;
      }
    }
    if (quote != '\0') error(std::string("the quote ") + quote + " is not closed on its line");
    tokens_.push_back({Token::Kind::word, std::move(word), line_});
    return at;
  }

  const SourceText& source_;
  std::vector<Remark>& errors_;
  std::vector<Token> tokens_;
  int line_ = 0;
};

// One for all files of an import; bounds what they are together.
class Parser {
 public:
  Parser(const ReadIncluded& read, std::vector<Remark>& errors) : read_(read), errors_(errors) {}

  std::vector<Statement> file(const SourceText& source, const Place& from, int depth) {
    size_ += source.text.size();
    ++files_;
    if (is_over()) {
      errors_.push_back({from, "more than " + std::to_string(kKeepalivedFilesMax) + " files or " +
                                   std::to_string(kKeepalivedSizeMax >> 20) + " MiB are not read"});
      return {};
    }
    const std::vector<Token> tokens = Lexer(source, errors_).tokens();
    std::size_t at = 0;
    std::vector<Statement> statements = block(source.path, tokens, at, 0, depth);
    if (at < tokens.size()) errors_.push_back({{source.path, tokens[at].line}, "'}' closes nothing"});
    return statements;
  }

 private:
  using Kind = Token::Kind;

  bool is_over() const { return files_ > kKeepalivedFilesMax || size_ > kKeepalivedSizeMax; }

  static void skip_line_ends(const std::vector<Token>& tokens, std::size_t& at) {
    while (at < tokens.size() && tokens[at].kind == Kind::line_end) ++at;
  }

  // Up to the '}' that closes it, or the end; `at` is left on that.
  std::vector<Statement> block(const std::string& file, const std::vector<Token>& tokens, std::size_t& at,
                               int block_depth, int include_depth) {
    std::vector<Statement> statements;
    for (skip_line_ends(tokens, at); at < tokens.size() && tokens[at].kind != Kind::close;
         skip_line_ends(tokens, at)) {
      Statement statement;
      statement.place = {file, tokens[at].line};
      for (; at < tokens.size() && tokens[at].kind == Kind::word; ++at) statement.words.push_back(tokens[at].text);
      std::size_t next = at;
      skip_line_ends(tokens, next);
      if (next < tokens.size() && tokens[next].kind == Kind::open) {
        at = next + 1;
        statement.is_block = true;
        if (block_depth >= kBlockDepthMax) {
          errors_.push_back({statement.place, "blocks are nested too deeply"});
          at = tokens.size();
          return statements;
        }
        statement.block = block(file, tokens, at, block_depth + 1, include_depth);
        if (at < tokens.size()) {
          ++at;
        } else {
          errors_.push_back({statement.place, "the block is not closed, '}' is missing"});
        }
      }
      if (statement.words.empty()) {
        errors_.push_back({statement.place, "a block without a name"});
      } else if (is_include(statement)) {
        include(statement, include_depth, statements);
      } else {
        statements.push_back(std::move(statement));
      }
    }
    return statements;
  }

  static bool is_include(const Statement& statement) {
    static constexpr std::array kIncludes = {"include", "includer", "includem", "includew", "includeb", "includea"};
    return std::find(kIncludes.begin(), kIncludes.end(), statement.keyword()) != kIncludes.end();
  }

  void include(const Statement& statement, int depth, std::vector<Statement>& statements) {
    auto error = [&](std::string text) { errors_.push_back({statement.place, std::move(text)}); };
    if (statement.is_block || statement.words.size() != 2) return error("include takes the name of a file");
    if (depth >= kIncludeDepthMax) return error("includes are nested too deeply, or include each other");
    if (is_over()) return;  // told already
    const auto sources = read_(statement.words[1], statement.place.file);
    if (!sources) return error(sources.error());
    for (const SourceText& source : *sources) {
      if (is_over()) return;
      std::vector<Statement> included = file(source, statement.place, depth + 1);
      std::move(included.begin(), included.end(), std::back_inserter(statements));
    }
  }

  const ReadIncluded& read_;
  std::vector<Remark>& errors_;
  std::size_t size_ = 0;
  std::size_t files_ = 0;
};

}  // namespace

std::vector<Statement> parse_keepalived(const SourceText& source, const ReadIncluded& read,
                                        std::vector<Remark>& errors) {
  return Parser(read, errors).file(source, {source.path, 1}, 0);
}

}  // namespace vipair::ctl
