BAD_XML = "bad_xml"
